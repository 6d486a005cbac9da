"""Models that can be pulled by name.

Each hash is the one that several packagers (Linux distributions, Homebrew, applications) pin independently of each
other for the same address, looked up November 2026; the archives themselves could not be fetched where this was
written. A model whose hash nobody publishes is not here.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class KnownModel:
    """An archive and what is in it. `engine`: the recognizer it is for, "" when nobody knows."""

    name: str
    url: str
    sha256: str
    bytes: int
    engine: str
    about: str


_VOSK: Final = "https://alphacephei.com/vosk/models"
_SHERPA: Final = "https://github.com/k2-fsa/sherpa-onnx/releases/download/asr-models"

KNOWN: Final = (
    KnownModel(
        "vosk-model-small-en-us-0.15",
        f"{_VOSK}/vosk-model-small-en-us-0.15.zip",
        "30f26242c4eb449f948e42cb302dd7a686cb29a3423a8367f99ff41780942498",
        41_205_931,
        "vosk",
        "English, small (Apache-2.0)",
    ),
    KnownModel(
        "vosk-model-en-us-0.22-lgraph",
        f"{_VOSK}/vosk-model-en-us-0.22-lgraph.zip",
        "d9838b4aaa82a75c4a17f5aca300eaca129aaab2a7cbf951bafbb500eb9c4334",
        130_557_655,
        "vosk",
        "English, better and larger (Apache-2.0)",
    ),
    KnownModel(
        "sherpa-onnx-streaming-zipformer-en-20M-2023-02-17",
        f"{_SHERPA}/sherpa-onnx-streaming-zipformer-en-20M-2023-02-17.tar.bz2",
        "9c559283e8498d3fe95913c79ca1cb454bb26281ac2b102b41306c7d752765d9",
        127_887_156,
        "sherpa",
        "English, 20 million parameters (Apache-2.0)",
    ),
)
