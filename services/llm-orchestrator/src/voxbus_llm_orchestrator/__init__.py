"""Turns event.v1.<org>.<part>.<call>.> into turn.*, reply.*, speech.say/cancel, playback.* commands and tool.run.

It alone decides, and alone publishes call.ended for a call it owns; a chat is a call without any other stage, answered
in chat.worded and chat.ended. It must never touch audio, never run a tool itself, never do anything that is not in the
log before it.
"""
