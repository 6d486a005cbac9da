"""Turns the caller's transport into audio…caller/played, media.*, call.ringing/started, playback.*, and audio…agent back into it.

Reading order: clock (caller → frames), playout (agent frames → caller), inbound and client_messages (text both ways),
session (one attachment), server. It must never end a call, decide a turn or invent a word: the orchestrator does.
"""
