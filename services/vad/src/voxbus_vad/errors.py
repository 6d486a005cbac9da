"""What can go wrong here.

VadError
├── SileroMissing    not retryable: vad_engine=silero without its extra software
└── SileroFailed     retryable: one inference failed; the cheap detector decided instead
"""

from typing import ClassVar


class VadError(Exception):
    """Base of all."""

    code: ClassVar[str] = "vad-error"
    retryable: ClassVar[bool] = False


class SileroMissing(VadError):
    """The software or the model file of the chosen engine is not on this machine; the text says what to install."""

    code = "silero-missing"


class SileroFailed(VadError):
    """The model gave no usable answer."""

    code = "silero-failed"
    retryable = True
