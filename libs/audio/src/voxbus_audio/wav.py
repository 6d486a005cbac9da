"""Taking a RIFF/WAVE header off the front of a byte stream, however the stream is cut.

Source: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0" (1991), WAVE chapter;
WAVE_FORMAT_EXTENSIBLE as in Microsoft's mmreg.h.
"""

import struct
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from voxbus_audio.errors import WavHeaderInvalid, WireFormatInvalid
from voxbus_audio.format import Encoding, WireFormat, wire_format

_ENCODINGS: Final[dict[tuple[int, int], Encoding]] = {(1, 16): "pcm_s16le", (6, 8): "alaw", (7, 8): "mulaw"}
_EXTENSIBLE: Final = 0xFFFE
_EXTENSIBLE_BYTES: Final = 40
_RIFF_BYTES: Final = 12
# Sizes beyond these are writers' placeholders or damage; obeying them would swallow a caller's speech.
_MAX_CHUNK_BYTES: Final = 1 << 20
_MAX_FMT_BYTES: Final = 1 << 10
_MAX_TRAILER_BYTES: Final = 1 << 16
_PLACEHOLDER_SIZES: Final = (0, 0xFFFF_FFFF)


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a WAV file says about its samples; several channels are interleaved."""

    fmt: WireFormat
    channels: int


class _Place(Enum):
    START = auto()
    CHUNKS = auto()
    AUDIO = auto()
    RAW = auto()


class WavStripper:
    """Passes audio bytes through, leaving out a WAV container if the very first bytes open one.

    Order: nothing until header or no header is decided, then audio. After the file's data come its trailing chunks,
    left out too; bytes past the end of the file are taken for more audio of the same format. A data size of 0 or
    0xFFFFFFFF (a writer that streamed) means audio to the end.
    """

    __slots__ = ("_buffer", "_container_end", "_error", "_left_bytes", "_place", "_position", "_skip_bytes", "header")

    def __init__(self) -> None:
        self.header: WavHeader | None = None
        self._place = _Place.START
        self._buffer = b""
        self._position = 0
        self._container_end = 0
        self._skip_bytes = 0
        self._left_bytes = 0
        self._error: WavHeaderInvalid | None = None

    @property
    def seen(self) -> bool:
        """Whether the stream opened with RIFF/WAVE."""
        return self._container_end > 0

    def push(self, data: bytes) -> bytes:
        """Takes the next bytes and gives the audio among them.

        Raises WavHeaderInvalid, now and at every later push, when a header is broken or its audio is not 16-bit PCM,
        mu-law or A-law.
        """
        if self._place is _Place.RAW and not self._skip_bytes:
            return data
        if self._error is not None:
            raise self._error
        self._buffer += data
        try:
            return self._advance()
        except WavHeaderInvalid as error:
            self._error = error
            raise

    def flush(self) -> bytes:
        """Gives bytes that were held back as the possible beginning of a header; they are audio after all."""
        if self._place is not _Place.START:
            return b""
        self._place = _Place.RAW
        return self._take(len(self._buffer))

    def _advance(self) -> bytes:
        audio = b""
        while True:
            skipped = len(self._take(min(self._skip_bytes, len(self._buffer))))
            self._skip_bytes -= skipped
            before = self._place
            if self._place is _Place.RAW and not self._skip_bytes:
                return audio + self._take(len(self._buffer))
            if self._place is _Place.START:
                self._read_riff()
            elif self._place is _Place.CHUNKS:
                self._read_chunk()
            elif self._place is _Place.AUDIO:
                audio += self._read_audio()
            ...
