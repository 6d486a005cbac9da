"""Reading and writing audio files; blocking, so never on the live path's event loop."""

import wave
from collections.abc import Iterator
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
            parts.extend(_mono_bytes(mono) for mono in converter.resample(frame))
        if converter.graph is not None:  # without a graph frames passed straight through and nothing is held back
            parts.extend(_mono_bytes(mono) for mono in converter.resample(None))
    except OSError:
        raise
    except FFmpegError as error:
        raise NotAudio(f"path: {path} is not readable as audio ({error.strerror})") from error
    if not parts:
        raise NotAudio(f"path: {path} holds no audio")
    return b"".join(parts), converter.rate


def _decoded(path: str | Path) -> Iterator[AudioFrame]:
    with av.open(str(path)) as container:
        if not container.streams.audio:
            raise NotAudio(f"path: {path} has no audio track")
        yield from container.decode(container.streams.audio[0])


def _mono_bytes(frame: AudioFrame) -> bytes:
    return memoryview(frame.planes[0])[: frame.samples * 2].tobytes()


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
