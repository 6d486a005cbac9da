"""Turns audio…caller and speech.* into transcript.partial/final.

It must never push a frame twice into one recognizer session, never let a stretch of speech pass without a final (the
conversation waits for it), and never say that a turn is over: that is the orchestrator's.
"""
