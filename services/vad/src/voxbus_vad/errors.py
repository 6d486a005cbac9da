"""What can go wrong here.

VadError
├── SileroMissing       not retryable: vad_engine=silero without its extra software
├── SileroFailed        retryable: one inference failed; the cheap detector decided instead
├── TurnModelUnusable   not retryable: the file of vad_turn_model is missing or no such model
└── TurnModelFailed     retryable: one inference failed; the turn is judged without it
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


class TurnModelUnusable(VadError):
    """The turn model cannot be used on this machine; the text says why and names the setting."""

    code = "turn-model-unusable"


class TurnModelFailed(VadError):
    """The turn model gave no usable answer."""

    code = "turn-model-failed"
    retryable = True
