"""Turns event.v1.<org>.<part>.<call>.> into turn.*, reply.*, speech.say/cancel, playback.* commands and tool.run.

It alone decides, and alone publishes call.ended for a call it owns. It must never touch audio, never run a tool itself,
never do anything that is not in the log before it.
"""
