"""What a pocketsphinx child and the builder of its models are told besides: language models are folders."""

from enum import IntEnum
from typing import Final

from voxbus_providers.pipe import PipeKind

GENERAL: Final = ""
"""Names the model of the wheel; other names are model folders, which hold these two files."""
ARPA: Final = "model.arpa"
DICTIONARY: Final = "words.dict"


class BuildKind(IntEnum):
    """One exchange a model. Towards the builder: BUILD with JSON {folder, terms}; back: BUILT or a fault."""

    BUILD = PipeKind.FIRST_FREE
    BUILT = 17
