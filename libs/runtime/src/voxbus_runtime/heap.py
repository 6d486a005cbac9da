"""How the C library keeps memory: what a call needed in large pieces goes back to the system when it is over.

glibc takes large pieces from the system one by one, but only until the first is given back: from then on pieces up to
that size (32 MB at most) come out of the heap, where what lies behind them keeps them for ever, and it has a heap for
each of up to eight threads a core. A service that reads a recording into memory at each call's end grows so for hours
without holding anything. See mallopt(3), M_MMAP_THRESHOLD, M_ARENA_MAX.
"""

import ctypes
from typing import Final

LARGE_BYTES: Final = 256 * 1024
"""Pieces of this size and above come from the system, one by one. None on the audio path is as large."""

_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_HEAPS: Final = 2
"""The event loop's own, and one that all other threads share."""


def give_large_pieces_back() -> bool:
    """For the whole process, from now on. False = this C library has no such thing."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    options = ((_M_MMAP_THRESHOLD, LARGE_BYTES), (_M_ARENA_MAX, _HEAPS))
    return all([set_option(ctypes.c_int(name), ctypes.c_int(value)) == 1 for name, value in options])
