"""G.711 companding between s16le PCM and one-byte mu-law or A-law codes.

Source: ITU-T Recommendation G.711 (11/88), tables 1a/1b (A-law) and 2a/2b (mu-law). PCM is 16-bit: A-law's 13-bit
and mu-law's 14-bit scales are left-aligned in it. A sample exactly on a decision value takes the more
positive of the two codes, as ITU-T's own software (G.191) does.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxbus_audio.format import S16LE, samples_of

_MULAW_BIAS: Final = 33
_MULAW_TOP: Final = 8191
_ALAW_MASK: Final = 0x55

# Index = the sample's 16 bits read as unsigned, so that encoding is one table look-up.
_EVERY_SAMPLE: Final[NDArray[np.int32]] = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
_EVERY_CODE: Final[NDArray[np.int32]] = np.arange(256, dtype=np.int32)


def _bit_length(values: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.frexp(values.astype(np.float64))[1].astype(np.int32)


def _magnitude(samples: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.where(samples < 0, -samples - 1, samples)


def _mulaw_codes() -> NDArray[np.uint8]:
    biased = np.minimum((_magnitude(_EVERY_SAMPLE) >> 2) + _MULAW_BIAS, _MULAW_TOP)
    segment = _bit_length(biased) - 6
    step = (biased >> (segment + 1)) & 0x0F
    sign = np.where(_EVERY_SAMPLE < 0, 0x80, 0)
    return (~(sign | segment << 4 | step) & 0xFF).astype(np.uint8)


def _mulaw_samples() -> NDArray[np.int16]:
    code = ~_EVERY_CODE & 0xFF
    segment, step = code >> 4 & 0x07, code & 0x0F
    magnitude = (((step << 1) + _MULAW_BIAS) << segment) - _MULAW_BIAS
    return (np.where(code & 0x80, -magnitude, magnitude) << 2).astype(S16LE)


def _alaw_codes() -> NDArray[np.uint8]:
    magnitude = _magnitude(_EVERY_SAMPLE) >> 4
    segment = np.maximum(_bit_length(magnitude) - 4, 1)
    linear = magnitude < 32
    step = np.where(linear, magnitude, (magnitude >> (segment - 1)) & 0x0F)
    code = np.where(linear, step, segment << 4 | step)
    sign = np.where(_EVERY_SAMPLE < 0, 0, 0x80)
    return ((sign | code) ^ _ALAW_MASK).astype(np.uint8)


def _alaw_samples() -> NDArray[np.int16]:
    code = _EVERY_CODE ^ _ALAW_MASK
    segment, step = code >> 4 & 0x07, code & 0x0F
    midpoint = (step << 1) + 1
    magnitude = np.where(segment == 0, midpoint, (midpoint + 32) << np.maximum(segment - 1, 0))
    return (np.where(code & 0x80, magnitude, -magnitude) << 3).astype(S16LE)


_MULAW_CODES: Final = _mulaw_codes()
_MULAW_SAMPLES: Final = _mulaw_samples()
_ALAW_CODES: Final = _alaw_codes()
_ALAW_SAMPLES: Final = _alaw_samples()


def mulaw_encode(pcm: bytes) -> bytes:
    """Turns s16le PCM into mu-law codes, one byte per sample. Raises SamplesInvalid on an odd length."""
    return _MULAW_CODES[samples_of(pcm).view(np.uint16)].tobytes()


def mulaw_decode(codes: bytes) -> bytes:
    """Turns mu-law codes into s16le PCM, two bytes per code."""
    return _MULAW_SAMPLES[np.frombuffer(codes, dtype=np.uint8)].tobytes()


def alaw_encode(pcm: bytes) -> bytes:
    """Turns s16le PCM into A-law codes, one byte per sample. Raises SamplesInvalid on an odd length."""
    return _ALAW_CODES[samples_of(pcm).view(np.uint16)].tobytes()


def alaw_decode(codes: bytes) -> bytes:
    """Turns A-law codes into s16le PCM, two bytes per code."""
    return _ALAW_SAMPLES[np.frombuffer(codes, dtype=np.uint8)].tobytes()
