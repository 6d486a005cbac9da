"""Voices, one file each. Children import this package too: nothing heavy belongs here."""
