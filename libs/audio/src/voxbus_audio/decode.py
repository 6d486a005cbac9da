"""Between a caller's wire format and the 640-byte frames Voxbus works on."""

from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np

from voxbus_audio.format import FRAME_BYTES, INTERNAL_FORMAT, S16LE, SAMPLE_RATE_HZ, Encoding, WireFormat, samples_of
from voxbus_audio.framing import FrameCutter
from voxbus_audio.g711 import alaw_decode, alaw_encode, mulaw_decode, mulaw_encode
from voxbus_audio.resample import StreamResampler
from voxbus_audio.wav import WavStripper


def _as_is(pcm: bytes) -> bytes:
    return pcm


_TO_PCM: Final[dict[Encoding, Callable[[bytes], bytes]]] = {
    "pcm_s16le": _as_is,
    "mulaw": mulaw_decode,
    "alaw": alaw_decode,
}
_FROM_PCM: Final[dict[Encoding, Callable[[bytes], bytes]]] = {
    "pcm_s16le": _as_is,
    "mulaw": mulaw_encode,
    "alaw": alaw_encode,
}


class _SteadyResampler:
    """A StreamResampler that opens each stream with silence as long as its lag (1-2 ms).

    So 20 ms in always give 20 ms out at once. Without it the lag would leave every frame a few samples short,
    and the whole frame would wait for the next chunk: 20 ms for the sake of 2.
    """

    __slots__ = ("_lag", "_resampler", "_started")

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._resampler = StreamResampler(from_hz, to_hz)
        self._lag = bytes(2 * self._resampler.lag_samples)
        self._started = False

    def push(self, pcm: bytes) -> bytes:
        out = self._resampler.push(pcm)
        if self._started or not pcm:
            return out
        self._started = True
        return self._lag + out if self._lag else out

    def flush(self) -> bytes:
        self._started = False
        return self._resampler.flush()


class WireDecoder:
    """Turns a caller's bytes, cut anywhere, into whole 640-byte frames of 16 kHz mono s16le.

    How the bytes are cut never changes what comes out: half samples and part frames wait for the next chunk. A WAV
    header at the very start is taken off and believed over the declared format. Streams at other rates than 16 kHz
    come out 1-2 ms later than they went in (5 ms at 3 kHz), and 20 ms in are one frame out at once.
    """

    __slots__ = (
        "_block_bytes",
        "_channels",
        "_cutter",
        "_effective",
        "_is_plain",
        "_partial",
        "_resampler",
        "_tail",
        "_wav",
    )

    def __init__(self, fmt: WireFormat) -> None:
        self._wav = WavStripper()
        self._cutter = FrameCutter()
        self._tail: deque[bytes] = deque()
        self._partial = b""
        self._adopt(fmt, channels=1)

    @property
    def wav_header_seen(self) -> bool:
        """Whether the stream opened with a WAV header (true once all of it has arrived)."""
        return self._wav.header is not None

    @property
    def effective(self) -> WireFormat:
        """The format the bytes are decoded by: the declared one, or that of the WAV header."""
        return self._effective

    @property
    def channels(self) -> int:
        """How many interleaved channels are mixed to mono; 1 unless a WAV header says more."""
        return self._channels

    def push(self, data: bytes) -> list[bytes]:
        """Takes the next bytes from the caller and gives the frames they complete.

        Raises WavHeaderInvalid (a ValueError), at this and every later push, when the stream opens with a WAV header
        of audio that cannot be decoded here.
        """
        waits = self._partial or not self._cutter.is_empty
        if len(data) == FRAME_BYTES and self._is_plain and not waits and self._wav.passes:
            return [data]
        header_was_seen = self.wav_header_seen
        audio = self._wav.push(data)
        if self._wav.header is not None and not header_was_seen:
            self._adopt(self._wav.header.fmt, self._wav.header.channels)
        return self._cutter.push(self._resampler.push(self._whole_samples(audio)))

    def flush(self) -> bytes | None:
        """Ends what was pushed so far and gives its next remaining frame, the last one filled up with silence.

        Call it until it gives None: at most two frames remain, the second when the resampler's tail spills over.
        Pushing on afterwards is fine (a pause, not an end); half a sample stays waiting for its other half.
        """
        if not self._tail:
            pcm = self._resampler.push(self._whole_samples(self._wav.flush())) + self._resampler.flush()
            self._tail.extend(self._cutter.push(pcm))
            last = self._cutter.take_rest()
            if last is not None:
                self._tail.append(last)
        return self._tail.popleft() if self._tail else None

    def _adopt(self, fmt: WireFormat, channels: int) -> None:
        self._effective = fmt
        self._channels = channels
        self._block_bytes = fmt.bytes_per_sample * channels
        self._resampler = _SteadyResampler(fmt.sample_rate_hz, SAMPLE_RATE_HZ)
        self._is_plain = fmt == INTERNAL_FORMAT and channels == 1
        """What comes is what goes on: a whole frame passes as it is."""

    def _whole_samples(self, audio: bytes) -> bytes:
        if self._partial:
            audio = self._partial + audio
        whole_bytes = len(audio) - len(audio) % self._block_bytes
        self._partial = audio[whole_bytes:]
        pcm = _TO_PCM[self._effective.encoding](audio[:whole_bytes])
        return pcm if self._channels == 1 else _mixed_to_mono(pcm, self._channels)


def _mixed_to_mono(pcm: bytes, channels: int) -> bytes:
    total = samples_of(pcm).reshape(-1, channels).sum(axis=1, dtype=np.int32)
    return (total // channels).astype(S16LE).tobytes()


class WireEncoder:
    """Turns 640-byte frames into a caller's wire format; one frame in is 20 ms of wire bytes out.

    At other rates than 16 kHz the stream opens with 1-2 ms of silence, the resampler's lag. Where 20 ms is not a
    whole number of samples (11025 Hz) the lengths alternate and are right in the sum.
    """

    __slots__ = ("_encode", "_resampler")

    def __init__(self, fmt: WireFormat) -> None:
        self._encode = _FROM_PCM[fmt.encoding]
        self._resampler = _SteadyResampler(INTERNAL_FORMAT.sample_rate_hz, fmt.sample_rate_hz)

    def push(self, frame: bytes) -> bytes:
        """Takes the next 16 kHz frame and gives its wire bytes. Raises SamplesInvalid on an odd length."""
        return self._encode(self._resampler.push(frame))

    def flush(self) -> bytes:
        """Gives the resampler's last 1-2 ms as wire bytes; a later push starts a new stream."""
        return self._encode(self._resampler.flush())
