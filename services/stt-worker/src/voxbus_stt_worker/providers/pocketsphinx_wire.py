"""What goes through the pipe between the stt-worker and a pocketsphinx child."""

import struct
from enum import IntEnum
from typing import Final

from voxbus_providers.pipe import PipeKind

DECODED_MS: Final = struct.Struct("!I")
"""Opens the body of PARTIAL and FINAL: ms of audio decoded since the last flush; the text follows."""

GENERAL: Final = ""
"""Names the model of the wheel; other names are model folders, which hold these two files."""
ARPA: Final = "model.arpa"
DICTIONARY: Final = "words.dict"


class Kind(IntEnum):
    """Towards the child: OPEN, (AUDIO*, FLUSH)*; back: (PARTIAL*, FINAL)*. AUDIO is mono s16le 16 kHz, any length.

    OPEN names the folder of the call's language model; empty = the general one.
    """

    OPEN = PipeKind.FIRST_FREE
    AUDIO = 17
    FLUSH = 18
    PARTIAL = 19
    FINAL = 20


class BuildKind(IntEnum):
    """One exchange a model. Towards the builder: BUILD with JSON {folder, terms}; back: BUILT or a fault."""

    BUILD = PipeKind.FIRST_FREE
    BUILT = 17
