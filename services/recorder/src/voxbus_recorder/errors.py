"""What can go wrong in the recorder.

RecorderError
├── BrokenSegment    not retryable: a stored segment is not what was written; the rest of the recording is made
└── SegmentLost      not retryable: neither store nor spool nor memory could take a segment
"""

from typing import ClassVar


class RecorderError(Exception):
    """Base of all."""

    code: ClassVar[str] = "recorder-error"
    retryable: ClassVar[bool] = False


class BrokenSegment(RecorderError):
    """The text says what is wrong with it."""

    code = "segment-broken"


class SegmentLost(RecorderError):
    """Nothing had room for it."""

    code = "segment-lost"
