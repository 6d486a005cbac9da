import wave
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest

from voxbus_audio import read_audio, read_audio_16k, rms_dbfs, silence, sine, tone_power, write_wav


def encoded_with_av(path: Path, codec: Literal["flac", "mp3"], sample_format: str, rate_hz: int) -> Path:
    samples = np.frombuffer(sine(440, 1_000, 0.3, rate_hz), dtype="<i2").reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.sample_rate = rate_hz
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz)
        assert isinstance(stream, av.AudioStream)
        stream.layout, stream.format = "mono", sample_format
        to_codec = av.AudioResampler(sample_format, "mono", rate_hz, 1_152)
        for ready in [*to_codec.resample(frame), *to_codec.resample(None), None]:
            container.mux(stream.encode(ready))
    return path


def test_a_written_wav_reads_back_exactly(tmp_path: Path) -> None:
    pcm = sine(440, 333)
    write_wav(tmp_path / "tone.wav", pcm)
    assert read_audio(tmp_path / "tone.wav") == (pcm, 16_000)
    assert read_audio_16k(str(tmp_path / "tone.wav")) == pcm


@pytest.mark.parametrize(
    ("codec", "sample_format", "power"),
    [("flac", "s16", 0.09), ("mp3", "s16p", 0.09 * 0.95**2)],  # LAME scales by 0.95
)
def test_compressed_files_read_at_their_own_rate_and_at_16k(
    tmp_path: Path, codec: Literal["flac", "mp3"], sample_format: str, power: float
) -> None:
    path = encoded_with_av(tmp_path / f"tone.{codec}", codec, sample_format, 44_100)
    pcm, rate_hz = read_audio(path)
    assert rate_hz == 44_100
    assert tone_power(pcm[8_000:80_000], 440, 44_100) == pytest.approx(power, rel=0.02)
    assert tone_power(read_audio_16k(path)[8_000:24_000], 440) == pytest.approx(power, rel=0.02)


def test_a_stereo_file_is_mixed_to_mono(tmp_path: Path) -> None:
    left = np.frombuffer(sine(440, 500), dtype="<i2")
    stereo = np.stack([left, np.zeros_like(left)], axis=1).tobytes()
    write_wav(tmp_path / "stereo.wav", stereo, channels=2)
    pcm, rate_hz = read_audio(tmp_path / "stereo.wav")
    assert (len(pcm), rate_hz) == (len(stereo) // 2, 16_000)
    assert tone_power(pcm, 440) == pytest.approx(0.15**2, rel=0.01)


def test_an_8_khz_file_doubles_its_samples_at_16k(tmp_path: Path) -> None:
    write_wav(tmp_path / "phone.wav", sine(440, 500, 0.3, 8_000), sample_rate_hz=8_000)
    pcm = read_audio_16k(tmp_path / "phone.wav")
    assert len(pcm) == len(silence(500))
    assert rms_dbfs(pcm) == pytest.approx(rms_dbfs(sine(440, 500)), abs=0.1)


def test_a_written_wav_names_its_format(tmp_path: Path) -> None:
    write_wav(tmp_path / "out.wav", silence(20, 24_000) * 2, 24_000, channels=2)
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()) == (24_000, 2, 2, 480)


def test_pcm_that_is_no_whole_sample_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^pcm: 6 bytes is not a whole number of 2-channel"):
        write_wav(tmp_path / "out.wav", bytes(6), channels=2)
    assert not (tmp_path / "out.wav").exists()


def test_a_wav_without_samples_is_no_audio(tmp_path: Path) -> None:
    write_wav(tmp_path / "empty.wav", b"")
    with pytest.raises(ValueError, match=r"^path: .*empty\.wav holds no audio"):
        read_audio(tmp_path / "empty.wav")


@pytest.mark.parametrize("content", [b"", b"hello, this is text\n" * 50, bytes(range(256)) * 80])
def test_a_file_that_is_no_audio_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^path: .*notes\.bin "):
        read_audio(path)


def test_a_playlist_cannot_pull_in_another_file(tmp_path: Path) -> None:
    other = encoded_with_av(tmp_path / "tone.mp3", "mp3", "s16p", 16_000)
    playlist = tmp_path / "list.m3u8"
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", other.as_uri(), "#EXT-X-ENDLIST"]
    playlist.write_text("\n".join([*lines, ""]))
    with pytest.raises(ValueError, match=r"^path: "):
        read_audio(playlist)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_audio(tmp_path / "nowhere.wav")
