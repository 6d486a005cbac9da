"""Delivers server messages: in order per call and target, no call waiting for another's server."""
