"""Turns the caller's transport into audio…caller/played, media.*, call.ringing/started and playback.*, and audio…agent
into what the caller hears.

Reading order: clock (caller → frames), playout (agent frames → caller), inbound and client_messages (text both ways),
attachment (one transport of a call), server. It must never end a call, decide a turn or invent a word: the
orchestrator does.
"""
