"""Turns `tool.run` into `tool.finished`, and deliveries into requests to customers' servers.

Always answers; reaches no address that the guard refuses.
"""
