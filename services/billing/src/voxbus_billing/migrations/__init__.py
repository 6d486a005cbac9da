"""Revisions of billing's database."""
