"""Cutting PCM into the 640-byte frames that everything downstream expects."""

from voxbus_audio.format import FRAME_BYTES, check_whole_samples


def frames(pcm: bytes, pad: bool = True) -> list[bytes]:
    """Cuts a complete 16 kHz mono s16le recording into 640-byte frames.

    The last partial frame is filled up with silence, or left out when `pad` is false. Raises SamplesInvalid on
    an odd length.
    """
    check_whole_samples(pcm)
    cutter = FrameCutter()
    cut = cutter.push(pcm)
    last = cutter.take_rest() if pad else None
    return [*cut, last] if last is not None else cut


class FrameCutter:
    """Cuts a stream of PCM chunks into 640-byte frames and keeps the remainder for the next chunk."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    @property
    def is_empty(self) -> bool:
        """Nothing waits for more."""
        return not self._rest

    def push(self, pcm: bytes) -> list[bytes]:
        """Takes the next bytes and gives every frame they complete; one whole frame passes without a copy."""
        if self._rest:
            pcm = self._rest + pcm
        whole_bytes = len(pcm) - len(pcm) % FRAME_BYTES
        self._rest = pcm[whole_bytes:]
        return [pcm[start : start + FRAME_BYTES] for start in range(0, whole_bytes, FRAME_BYTES)]

    def take_rest(self) -> bytes | None:
        """Gives the remainder as one frame filled up with silence, and forgets it; None when there is none."""
        if not self._rest:
            return None
        frame = self._rest.ljust(FRAME_BYTES, b"\0")
        self._rest = b""
        return frame
