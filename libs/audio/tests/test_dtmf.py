import pytest

from voxbus_audio import keys_pcm, tone_power
from voxbus_audio.dtmf import FREQUENCIES_HZ, KEY_MS

BYTES_PER_MS = 32


@pytest.mark.parametrize("key", [*"0123456789*#ABCD"])
def test_each_key_sounds_with_its_two_frequencies_and_no_other(key: str) -> None:
    tone = keys_pcm(key)[: KEY_MS * BYTES_PER_MS]
    all_hz = {hz for pair in FREQUENCIES_HZ.values() for hz in pair}
    loud = {hz for hz in all_hz if tone_power(tone, hz) > 0.03}
    assert loud == set(FREQUENCIES_HZ[key])


def test_pauses_are_half_a_second_and_a_second() -> None:
    assert len(keys_pcm("1w2W3#")) == BYTES_PER_MS * (4 * 2 * KEY_MS + 500 + 1_000)
    assert not any(keys_pcm("wW"))


def test_what_is_no_key_is_named() -> None:
    with pytest.raises(ValueError, match="'x' is no key"):
        keys_pcm("1x")
