"""Keys of a telephone as tones (ITU-T Q.23; lengths well above the 40 ms that Q.24 asks receivers to take)."""

from typing import Final

import numpy as np

from voxbus_audio.format import S16LE, samples_of
from voxbus_audio.tones import silence, sine

KEY_MS: Final = 120
"""How long a key sounds, and as long it is quiet behind it."""

PAUSES_MS: Final = {"w": 500, "W": 1_000}

_LOW_HZ: Final = (697.0, 770.0, 852.0, 941.0)
_HIGH_HZ: Final = (1209.0, 1336.0, 1477.0, 1633.0)
_ROWS: Final = ("123A", "456B", "789C", "*0#D")
FREQUENCIES_HZ: Final = {
    key: (low, high) for low, row in zip(_LOW_HZ, _ROWS, strict=True) for high, key in zip(_HIGH_HZ, row, strict=True)
}
"""Each key's two."""

_AMPLITUDE: Final = 0.25
"""Of each of the two: -12 dBFS, about what a telephone sends."""


def keys_pcm(keys: str) -> bytes:
    """Mono s16le PCM at 16 kHz of `1w2W3#`. Raises ValueError naming what is no key."""
    return b"".join(silence(PAUSES_MS[key]) if key in PAUSES_MS else _key(key) for key in keys)


def _key(key: str) -> bytes:
    if key not in FREQUENCIES_HZ:
        raise ValueError(f"{key!r} is no key")
    low, high = (samples_of(sine(hz, KEY_MS, _AMPLITUDE)) for hz in FREQUENCIES_HZ[key])
    tone = low.astype(np.int32) + high.astype(np.int32)
    return tone.astype(S16LE).tobytes() + silence(KEY_MS)
