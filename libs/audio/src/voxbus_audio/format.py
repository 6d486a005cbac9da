"""The one internal audio format, and the formats callers may speak on the wire."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from voxbus_audio.errors import SamplesInvalid, WireFormatInvalid

SAMPLE_RATE_HZ: Final = 16_000
FRAME_MS: Final = 20
FRAME_SAMPLES: Final = 320
FRAME_BYTES: Final = 640
SILENCE_FRAME: Final[bytes] = bytes(FRAME_BYTES)

MIN_WIRE_RATE_HZ: Final = 3_000
MAX_WIRE_RATE_HZ: Final = 192_000

S16LE: Final[np.dtype[np.int16]] = np.dtype("<i2")

Encoding = Literal["pcm_s16le", "mulaw", "alaw"]
_BYTES_PER_SAMPLE: Final[dict[Encoding, int]] = {"pcm_s16le": 2, "mulaw": 1, "alaw": 1}


@dataclass(frozen=True, slots=True)
class WireFormat:
    """How a caller's mono audio is written on the wire; build it from outside input with `wire_format`."""

    encoding: Encoding
    sample_rate_hz: int

    @property
    def bytes_per_sample(self) -> int:
        """2 for PCM, 1 for G.711."""
        return _BYTES_PER_SAMPLE[self.encoding]


INTERNAL_FORMAT: Final = WireFormat("pcm_s16le", SAMPLE_RATE_HZ)


def wire_format(encoding: str, sample_rate_hz: int) -> WireFormat:
    """Checks a format declared by a caller.

    Raises WireFormatInvalid (a ValueError) naming the field: an encoding other than pcm_s16le, mulaw or alaw,
    or a rate outside 3000..192000 Hz.
    """
    if not MIN_WIRE_RATE_HZ <= sample_rate_hz <= MAX_WIRE_RATE_HZ:
        raise WireFormatInvalid(f"sample_rate_hz: {sample_rate_hz} is outside {MIN_WIRE_RATE_HZ}..{MAX_WIRE_RATE_HZ}")
    for known in get_args(Encoding):
        if encoding == known:
            return WireFormat(known, sample_rate_hz)
    raise WireFormatInvalid(f"encoding: {encoding!r} is not one of {', '.join(get_args(Encoding))}")


def check_whole_samples(pcm: bytes) -> None:
    """Raises SamplesInvalid when s16le bytes end in the middle of a sample."""
    if len(pcm) & 1:
        raise SamplesInvalid(f"pcm: {len(pcm)} bytes is not a whole number of 16-bit samples")


def samples_of(pcm: bytes) -> NDArray[np.int16]:
    """Views s16le bytes as samples, without a copy; read-only. Raises SamplesInvalid on an odd length."""
    check_whole_samples(pcm)
    return np.frombuffer(pcm, dtype=S16LE)
