import pytest

from voxbus_audio import (
    FRAME_BYTES,
    FRAME_MS,
    FRAME_SAMPLES,
    SAMPLE_RATE_HZ,
    SILENCE_FRAME,
    AudioError,
    WireFormat,
    frames,
    sine,
    wire_format,
)


def test_the_frame_constants_agree_with_each_other() -> None:
    assert SAMPLE_RATE_HZ * FRAME_MS // 1000 == FRAME_SAMPLES == 320
    assert FRAME_BYTES == 2 * FRAME_SAMPLES == 640
    assert bytes(640) == SILENCE_FRAME


@pytest.mark.parametrize(("encoding", "size"), [("pcm_s16le", 2), ("mulaw", 1), ("alaw", 1)])
def test_every_encoding_knows_its_sample_size(encoding: str, size: int) -> None:
    fmt = wire_format(encoding, 8_000)
    assert fmt.encoding == encoding
    assert fmt.bytes_per_sample == size


@pytest.mark.parametrize("rate_hz", [3_000, 44_100, 192_000])
def test_rates_up_to_both_limits_are_taken(rate_hz: int) -> None:
    assert wire_format("pcm_s16le", rate_hz) == WireFormat("pcm_s16le", rate_hz)


@pytest.mark.parametrize("rate_hz", [-16_000, 0, 2_999, 192_001])
def test_a_rate_outside_the_limits_is_refused_by_field_name(rate_hz: int) -> None:
    with pytest.raises(ValueError, match=rf"^sample_rate_hz: {rate_hz} ") as caught:
        wire_format("pcm_s16le", rate_hz)
    assert isinstance(caught.value, AudioError)
    assert caught.value.code == "audio.wire_format_invalid"
    assert not caught.value.retryable


@pytest.mark.parametrize("encoding", ["opus", "", "PCM_S16LE"])
def test_an_unknown_encoding_is_refused_by_field_name(encoding: str) -> None:
    with pytest.raises(ValueError, match=r"^encoding: .* is not one of pcm_s16le, mulaw, alaw"):
        wire_format(encoding, 16_000)


def test_frames_cover_the_recording_and_the_last_is_filled_with_silence() -> None:
    pcm = sine(440, 50)
    cut = frames(pcm)
    assert [len(frame) for frame in cut] == [640, 640, 640]
    assert b"".join(cut) == pcm + bytes(320)


def test_frames_without_padding_leave_the_part_frame_out() -> None:
    pcm = sine(440, 50)
    assert b"".join(frames(pcm, pad=False)) == pcm[:1280]


def test_frames_of_whole_frames_add_nothing() -> None:
    assert frames(sine(440, 20)) == [sine(440, 20)]
    assert frames(b"") == []


def test_frames_refuse_half_a_sample() -> None:
    with pytest.raises(ValueError, match=r"^pcm: 641 bytes"):
        frames(bytes(641))
