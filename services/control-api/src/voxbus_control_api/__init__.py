"""Turns requests into `call.queued` and commands, and events into records. Touches no audio, owns no live call."""
