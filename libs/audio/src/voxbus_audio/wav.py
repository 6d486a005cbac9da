"""Taking a RIFF/WAVE header off the front of a byte stream, however the stream is cut.

Source: Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0" (1991), WAVE chapter;
WAVE_FORMAT_EXTENSIBLE as in Microsoft's mmreg.h.
"""

import struct
from dataclasses import dataclass
from typing import Final

from voxbus_audio.errors import WavHeaderInvalid, WireFormatInvalid
from voxbus_audio.format import Encoding, WireFormat, wire_format

_ENCODINGS: Final[dict[tuple[int, int], Encoding]] = {(1, 16): "pcm_s16le", (6, 8): "alaw", (7, 8): "mulaw"}
_EXTENSIBLE_TAG: Final = 0xFFFE
_EXTENSIBLE_BYTES: Final = 40
_FMT_BYTES: Final = 16
_RIFF_BYTES: Final = 12
_CHUNK_HEAD_BYTES: Final = 8
# Beyond these a size is damage or a writer's placeholder; obeying it would swallow the caller's speech.
_MAX_HEADER_BYTES: Final = 1 << 16
_MAX_TRAILER_BYTES: Final = 1 << 16
_STREAMED_SIZES: Final = (0, 0xFFFF_FFFF)


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a WAV file says about its audio, and where that lies in the file.

    Several channels are interleaved. `audio_bytes` is None when the writer streamed and left the size open;
    `trailer_bytes` counts the chunks that follow the audio.
    """

    fmt: WireFormat
    channels: int
    audio_start: int
    audio_bytes: int | None
    trailer_bytes: int


def may_open_wav(opening: bytes) -> bool:
    """Says whether a stream that begins like this is, or may yet turn out to be, a WAV file."""
    magic = b"RIFF" + opening[4:8].ljust(4, b"\0") + b"WAVE"
    return magic.startswith(opening[:_RIFF_BYTES])


def read_wav_header(opening: bytes) -> WavHeader | None:
    """Reads the header from the first bytes of a WAV file; None while its audio has not begun yet.

    Raises WavHeaderInvalid naming what is wrong: no `fmt ` chunk before the audio, another encoding than 16-bit PCM,
    mu-law or A-law, a sample rate Voxbus does not take, or 64 KiB without audio.
    """
    fmt: tuple[WireFormat, int] | None = None
    at = _RIFF_BYTES
    while len(opening) >= at + _CHUNK_HEAD_BYTES:
        name, size = struct.unpack_from("<4sI", opening, at)
        body = at + _CHUNK_HEAD_BYTES
        if name == b"data":
            if fmt is None:
                raise WavHeaderInvalid("wav header: no fmt chunk before the audio")
            return _header(opening, fmt, body, size)
        at = body + size + (size & 1)
        if at > _MAX_HEADER_BYTES:
            raise WavHeaderInvalid(f"wav header: no audio within the first {_MAX_HEADER_BYTES} bytes")
        if name == b"fmt " and len(opening) >= at:
            fmt = _read_fmt(opening[body : body + size])
    return None


def _header(opening: bytes, fmt: tuple[WireFormat, int], audio_start: int, size: int) -> WavHeader:
    if size in _STREAMED_SIZES:
        return WavHeader(*fmt, audio_start, None, 0)
    (riff_bytes,) = struct.unpack_from("<I", opening, 4)
    trailer_bytes = _CHUNK_HEAD_BYTES + riff_bytes - audio_start - size
    if not 0 <= trailer_bytes <= _MAX_TRAILER_BYTES:
        trailer_bytes = 0
    return WavHeader(*fmt, audio_start, size, trailer_bytes)


def _read_fmt(body: bytes) -> tuple[WireFormat, int]:
    if len(body) < _FMT_BYTES:
        raise WavHeaderInvalid(f"wav header: fmt chunk of {len(body)} bytes is too short")
    tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE_TAG and len(body) >= _EXTENSIBLE_BYTES:
        (tag,) = struct.unpack_from("<H", body, 24)
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None:
        raise WavHeaderInvalid(
            f"wav header: format tag {tag} with {bits} bits is not supported (16-bit PCM, mu-law and A-law are)"
        )
    if channels == 0:
        raise WavHeaderInvalid("wav header: channels is 0")
    try:
        return wire_format(encoding, rate_hz), channels
    except WireFormatInvalid as error:
        raise WavHeaderInvalid(f"wav header: {error}") from error


class WavStripper:
    """Passes audio bytes through, leaving out a WAV container if the very first bytes open one.

    Order: nothing until it is decided whether there is a header, then audio. The file's trailing chunks are left out
    too; bytes past the end of the file are taken for more audio of the same format.
    """

    __slots__ = ("_audio_left", "_opening", "_trailer_left", "header")

    def __init__(self) -> None:
        self.header: WavHeader | None = None
        self._opening: bytearray | None = bytearray()
        self._audio_left: int | None = None
        self._trailer_left = 0

    @property
    def passes(self) -> bool:
        """It is decided that what comes next is audio and nothing else."""
        return self._opening is None and self._audio_left is None

    def push(self, data: bytes) -> bytes:
        """Takes the next bytes and gives the audio among them; the same object when there is no header to strip.

        Raises WavHeaderInvalid as `read_wav_header` does, and again at every later push.
        """
        if self._opening is not None:
            data = self._decide(self._opening, data)
        if self._audio_left is None:
            return data
        return self._audio_of_file(data, self._audio_left)

    def flush(self) -> bytes:
        """Gives bytes held back as the possible first 12 of a header: they are audio after all."""
        if self._opening is None or len(self._opening) >= _RIFF_BYTES:
            return b""
        held = bytes(self._opening)
        if held:
            self._opening = None
        return held

    def _decide(self, opening: bytearray, data: bytes) -> bytes:
        opening += data
        begun = bytes(opening)
        if not may_open_wav(begun):
            self._opening = None
            return begun
        if len(begun) < _RIFF_BYTES:
            return b""
        self.header = read_wav_header(begun)
        if self.header is None:
            return b""
        self._opening = None
        self._audio_left = self.header.audio_bytes
        self._trailer_left = self.header.trailer_bytes
        return begun[self.header.audio_start :]

    def _audio_of_file(self, data: bytes, audio_left: int) -> bytes:
        audio, after = data[:audio_left], data[audio_left:]
        skipped = min(self._trailer_left, len(after))
        self._trailer_left -= skipped
        ended = audio_left == len(audio) and not self._trailer_left
        self._audio_left = None if ended else audio_left - len(audio)
        return audio + after[skipped:]
