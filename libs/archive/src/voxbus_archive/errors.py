"""What can go wrong with an archive.

BrokenArchive    not retryable: the object is not what was written; the text says what is broken
"""

from typing import ClassVar


class BrokenArchive(Exception):
    """Nothing of it is to be trusted."""

    code: ClassVar[str] = "archive-broken"
    retryable: ClassVar[bool] = False
