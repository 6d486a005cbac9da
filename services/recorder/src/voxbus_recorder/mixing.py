"""Cells of both directions → samples of a track. Pure; numpy."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxbus_audio import FRAME_SAMPLES
from voxbus_objects.keys import Track
from voxbus_recorder.segment import SLOTS, Frames, Segment

Samples = NDArray[np.int16]

CHANNELS: Final[dict[Track, int]] = {"stereo": 2, "mono": 1, "customer": 1, "assistant": 1}


def track_samples(segment: Segment, track: Track, first_slot: int, end_slot: int) -> Samples:
    """Interleaved samples of the part of a cell that lies in `first_slot` … `end_slot` of the call; silence in holes.

    Stereo: left the caller, right what was played. Mono: both added, limited to full scale.
    """
    origin = segment.cell * SLOTS
    first, last = max(0, first_slot - origin), min(SLOTS, end_slot - origin)
    return _MIX[track](_line(segment.caller, first, last), _line(segment.played, first, last))


def _line(frames: Frames, first: int, last: int) -> Samples:
    samples = np.zeros(max(0, last - first) * FRAME_SAMPLES, dtype="<i2")
    for slot, pcm in frames.items():
        if first <= slot < last:
            at = (slot - first) * FRAME_SAMPLES
            samples[at : at + FRAME_SAMPLES] = np.frombuffer(pcm, dtype="<i2")
    return samples


def _stereo(caller: Samples, played: Samples) -> Samples:
    return np.stack((caller, played), axis=1).reshape(-1)


def _mono(caller: Samples, played: Samples) -> Samples:
    return np.clip(caller.astype(np.int32) + played, -32_768, 32_767).astype("<i2")


def _customer(caller: Samples, _played: Samples) -> Samples:
    return caller


def _assistant(_caller: Samples, played: Samples) -> Samples:
    return played


_MIX: Final[dict[Track, Callable[[Samples, Samples], Samples]]] = {
    "stereo": _stereo,
    "mono": _mono,
    "customer": _customer,
    "assistant": _assistant,
}
