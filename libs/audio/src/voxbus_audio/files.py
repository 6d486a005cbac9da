"""Reading and writing audio files; blocking, so never on the live path's event loop."""

import wave
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
from av import AudioFrame, AudioResampler
from av.error import FFmpegError

from voxbus_audio.errors import NotAudio, SamplesInvalid
from voxbus_audio.format import SAMPLE_RATE_HZ
from voxbus_audio.resample import resample_whole


def read_audio(path: str | Path) -> tuple[bytes, int]:
    """Reads any file PyAV decodes (wav, flac, mp3, ogg, ...) into mono s16le PCM at the file's own rate.

    Channels are mixed to mono; of a film, the first audio track is read. Gives (pcm, sample_rate_hz).
    Raises NotAudio (a ValueError) naming the file when it holds no decodable audio, OSError when it cannot be opened.
    """
    converter = AudioResampler(format="s16", layout="mono")
    parts: list[bytes] = []
    try:
        for frame in _decoded(path):
            parts.append(_pcm_of(converter.resample(frame)))
        parts.append(_pcm_of(converter.resample(None)))
    except FFmpegError as error:
        raise NotAudio(f"path: {path} is not readable as audio ({error.strerror})") from error
    pcm = b"".join(parts)
    if not pcm:
        raise NotAudio(f"path: {path} holds no audio")
    return pcm, converter.rate


def _decoded(path: str | Path) -> Iterator[AudioFrame]:
    # An open file and no protocols: neither the path nor a playlist in the file can reach other files or the network.
    with Path(path).open("rb") as file, av.open(file, "r", options={"protocol_whitelist": "none"}) as container:
        if not container.streams.audio:
            raise NotAudio(f"path: {path} has no audio track")
        yield from container.decode(container.streams.audio[0])


def _pcm_of(frames: Iterable[AudioFrame | None]) -> bytes:
    # A resampler that had nothing to convert answers the end of the stream with [None].
    return b"".join(memoryview(frame.planes[0])[: frame.samples * 2].tobytes() for frame in frames if frame)


def read_audio_16k(path: str | Path) -> bytes:
    """Reads an audio file into the internal format, mono s16le at 16 kHz; raises as `read_audio`."""
    pcm, sample_rate_hz = read_audio(path)
    return resample_whole(pcm, sample_rate_hz, SAMPLE_RATE_HZ)


def write_wav(path: str | Path, pcm: bytes, sample_rate_hz: int = SAMPLE_RATE_HZ, channels: int = 1) -> None:
    """Writes s16le PCM (interleaved when there are several channels) as a WAV file, replacing what was there."""
    if len(pcm) % (2 * channels):
        raise SamplesInvalid(f"pcm: {len(pcm)} bytes is not a whole number of {channels}-channel 16-bit samples")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(sample_rate_hz)
        file.writeframes(pcm)
