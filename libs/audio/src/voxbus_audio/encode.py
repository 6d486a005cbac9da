"""Audio files made piece by piece, so that an hour never lies in memory."""

import struct
from typing import Any, Final, cast

import av
import numpy as np
from av import AudioFrame
from numpy.typing import NDArray

from voxbus_audio.errors import SamplesInvalid
from voxbus_audio.format import SAMPLE_RATE_HZ

WAV_HEADER_BYTES: Final = 44
_MAX_BYTES: Final = 2**32 - 1 - 36
_BIT_RATE: Final = 32_000
"""Per channel; speech at 16 kHz."""


def wav_header(samples: int, channels: int, sample_rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """The 44 bytes before `samples` s16le samples per channel, interleaved. Raises SamplesInvalid beyond 4 GB."""
    size_bytes = samples * channels * 2
    if size_bytes > _MAX_BYTES:
        raise SamplesInvalid(f"samples: {samples} of {channels} channels are more than a WAV file can hold")
    rate_bytes = sample_rate_hz * channels * 2
    fmt = struct.pack("<IHHIIHH", 16, 1, channels, sample_rate_hz, rate_bytes, channels * 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + size_bytes) + b"WAVEfmt " + fmt + b"data" + struct.pack("<I", size_bytes)


class _Output:
    """A file that can only be appended to."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class Mp3Encoder:
    """s16le samples in, MP3 out; blocking, some 10 ms per second of audio. Order: push*, finish."""

    def __init__(self, channels: int, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
        self._layout = "stereo" if channels == 2 else "mono"
        self._rate_hz = sample_rate_hz
        self._output = _Output()
        # Without the Xing header, which can only be written by going back to the start.
        self._container = av.open(cast(Any, self._output), "w", format="mp3", options={"write_xing": "0"})
        self._stream = self._container.add_stream("libmp3lame", rate=sample_rate_hz)
        self._stream.layout = self._layout
        self._stream.bit_rate = _BIT_RATE * channels
        self._samples = 0

    def push(self, samples: NDArray[np.int16]) -> bytes:
        """Interleaved samples, one dimension; what is ready of the file."""
        if not samples.size:
            return b""
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=self._layout)
        frame.sample_rate = self._rate_hz
        frame.pts = self._samples
        self._samples += frame.samples
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
        return self._output.taken()

    def finish(self) -> bytes:
        """The rest."""
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()
        return self._output.taken()
