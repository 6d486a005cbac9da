"""Turns speech.say/cancel into audio…agent and speech.synthesized.

Says every sentence exactly once and in order; must never speak a word of what was cancelled.
"""
