"""Files made piece by piece are what any player reads."""

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from voxbus_audio import Mp3Encoder, SamplesInvalid, read_audio, sine, tone_power, wav_header
from voxbus_audio.format import samples_of


@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_header_says_what_follows(channels: int) -> None:
    pcm = sine(440, 100) * channels
    with wave.open(io.BytesIO(wav_header(1600, channels) + pcm)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (channels, 16_000, 1600)
        assert file.readframes(1600) == pcm


def test_more_than_a_wav_file_can_hold_is_refused() -> None:
    with pytest.raises(SamplesInvalid, match="samples"):
        wav_header(2**30, 2)


@pytest.mark.parametrize("channels", [1, 2])
def test_an_mp3_made_in_pieces_sounds_the_same_and_is_small(channels: int, tmp_path: Path) -> None:
    tone = np.repeat(samples_of(sine(440, 3_000)), channels)
    encoder = Mp3Encoder(channels)
    made = b"".join(encoder.push(piece) for piece in np.split(tone, 30)) + encoder.finish()
    (tmp_path / "x.mp3").write_bytes(made)
    pcm, rate_hz = read_audio(tmp_path / "x.mp3")
    assert rate_hz == 16_000
    assert len(pcm) == pytest.approx(2 * 48_000, rel=0.06)
    assert tone_power(pcm[32_000:64_000], 440) == pytest.approx(0.09, rel=0.2)
    assert len(made) < 16_000 * channels


def test_nothing_makes_an_mp3_without_sound() -> None:
    encoder = Mp3Encoder(1)
    assert encoder.push(np.zeros(0, np.int16)) == b""
    encoder.finish()
