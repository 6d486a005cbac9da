"""The `voxbus` command: turns what a person types into a running stack, a call, or a readable answer.

It must never be imported by another package, and knows calls only by the public API and the bus's contracts.
"""
