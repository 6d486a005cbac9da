"""What goes through the pipe between the stt-worker and an engine's child."""

import struct
from enum import IntEnum
from typing import Final

from voxbus_providers.pipe import PipeKind

DECODED_MS: Final = struct.Struct("!I")
"""Opens the body of PARTIAL and FINAL: ms of audio decoded since the last flush; the text follows."""


class Kind(IntEnum):
    """Towards the child: OPEN, (AUDIO*, FLUSH)*; back: (PARTIAL*, FINAL)*. AUDIO is mono s16le 16 kHz, any length.

    OPEN may say more of the call, as the engine likes it.
    """

    OPEN = PipeKind.FIRST_FREE
    AUDIO = 17
    FLUSH = 18
    PARTIAL = 19
    FINAL = 20
