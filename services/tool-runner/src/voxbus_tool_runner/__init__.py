"""Turns `tool.run` into `tool.finished`. Always answers; reaches no address that the guard refuses."""
