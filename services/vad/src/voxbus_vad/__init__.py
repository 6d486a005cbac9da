"""Turns audio…caller into speech.started/paused/stopped.

It must never decide that a turn is over (that is the orchestrator's), never wait for a model on the event loop, and
never hold a frame back for longer than `vad_silero_wait_ms`.
"""
