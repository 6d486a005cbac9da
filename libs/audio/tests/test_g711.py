import importlib
import sys
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from voxbus_audio import (
    alaw_decode,
    alaw_encode,
    mulaw_decode,
    mulaw_encode,
    sine,
    tone_power,
)

EVERY_CODE = bytes(range(256))
EVERY_SAMPLE = np.arange(-32_768, 32_768, dtype=np.int32)
EVERY_PCM = EVERY_SAMPLE.astype("<i2").tobytes()

# ITU-T G.711 tables 1a and 2a: the decision value that closes each segment, and the step inside it, on the
# 13-bit A-law and 14-bit mu-law scales.
MULAW_SEGMENTS = [(31, 2), (95, 4), (223, 8), (479, 16), (991, 32), (2015, 64), (4063, 128), (8159, 256)]
ALAW_SEGMENTS = [(32, 2), (64, 2), (128, 4), (256, 8), (512, 16), (1024, 32), (2048, 64), (4096, 128)]


def as_int(pcm: bytes) -> NDArray[np.int32]:
    return np.frombuffer(pcm, dtype="<i2").astype(np.int32)


def decision_values(segments: list[tuple[int, int]]) -> NDArray[np.int32]:
    ends = [end - step * offset for end, step in segments for offset in range(15, -1, -1)]
    return np.array(ends, dtype=np.int32)


def test_mulaw_codes_come_back_from_a_round_trip_except_negative_zero() -> None:
    # 0x7F is -0: it decodes to 0, whose code is 0xFF.
    expected = EVERY_CODE.replace(b"\x7f", b"\xff")
    assert mulaw_encode(mulaw_decode(EVERY_CODE)) == expected


def test_alaw_codes_come_back_from_a_round_trip() -> None:
    assert alaw_encode(alaw_decode(EVERY_CODE)) == EVERY_CODE


def test_known_codes_decode_to_the_values_of_the_recommendation() -> None:
    assert as_int(mulaw_decode(b"\xff\x80\x00\xef")).tolist() == [0, 32_124, -32_124, 132]
    assert as_int(alaw_decode(b"\xd5\x55\xaa\x2a")).tolist() == [8, -8, 32_256, -32_256]


def interval_of_every_sample(closing_values: NDArray[np.int32]) -> list[int]:
    # On a decision value the more positive interval is taken; beyond the last one the code clips.
    outward = np.searchsorted(closing_values, np.abs(EVERY_SAMPLE), side="right")
    inward = np.searchsorted(closing_values, np.abs(EVERY_SAMPLE), side="left")
    return np.minimum(np.where(EVERY_SAMPLE < 0, inward, outward), 127).tolist()


def test_every_sample_falls_into_the_mulaw_interval_the_recommendation_names() -> None:
    intervals = ~np.frombuffer(mulaw_encode(EVERY_PCM), dtype=np.uint8) & 0x7F
    assert intervals.tolist() == interval_of_every_sample(decision_values(MULAW_SEGMENTS) * 4)


def test_every_sample_falls_into_the_alaw_interval_the_recommendation_names() -> None:
    intervals = (np.frombuffer(alaw_encode(EVERY_PCM), dtype=np.uint8) ^ 0x55) & 0x7F
    assert intervals.tolist() == interval_of_every_sample(decision_values(ALAW_SEGMENTS) * 8)


@pytest.mark.parametrize("encode", [mulaw_encode, alaw_encode])
def test_the_sign_bit_is_set_for_samples_from_zero_up(encode: Callable[[bytes], bytes]) -> None:
    signs = np.frombuffer(encode(EVERY_PCM), dtype=np.uint8) & 0x80
    assert (signs > 0).tolist() == (EVERY_SAMPLE >= 0).tolist()


@pytest.mark.parametrize(("encode", "decode"), [(mulaw_encode, mulaw_decode), (alaw_encode, alaw_decode)])
def test_a_tone_survives_companding(encode: Callable[[bytes], bytes], decode: Callable[[bytes], bytes]) -> None:
    assert tone_power(decode(encode(sine(997, 200))), 997) == pytest.approx(0.09, rel=0.02)


@pytest.mark.parametrize("encode", [mulaw_encode, alaw_encode])
def test_half_a_sample_is_refused(encode: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match=r"^pcm: 3 bytes"):
        encode(b"\0\0\0")


if sys.version_info < (3, 13):

    def test_decoding_equals_the_standard_library_and_so_does_alaw_encoding() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            audioop = importlib.import_module("audioop")
        assert mulaw_decode(EVERY_CODE) == audioop.ulaw2lin(EVERY_CODE, 2)
        assert alaw_decode(EVERY_CODE) == audioop.alaw2lin(EVERY_CODE, 2)
        # Not so for mu-law: the standard library rounds negative samples away from zero before it looks them up.
        assert alaw_encode(EVERY_PCM) == audioop.lin2alaw(EVERY_PCM, 2)
