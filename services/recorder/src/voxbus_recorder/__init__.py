"""Turns audio…caller and audio…played into a call's recording, and its log into an archive, when the call is over.

Live, frames become segments of at most 5 s in the object store, or in a spool on this machine while the store fails.
It must never make a call wait, never read audio…agent (what was made, not what was heard), and store nothing of what
is said on a private call.
"""
