import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxbus_audio import (
    FRAME_BYTES,
    Encoding,
    WavHeaderInvalid,
    WireDecoder,
    WireEncoder,
    WireFormat,
    alaw_encode,
    frames,
    mulaw_decode,
    mulaw_encode,
    sine,
    tone_power,
)

INTERNAL = WireFormat("pcm_s16le", 16_000)
PHONE = WireFormat("mulaw", 8_000)
ENCODINGS: list[Encoding] = ["pcm_s16le", "mulaw", "alaw"]


def everything(decoder: WireDecoder, chunks: list[bytes]) -> list[bytes]:
    out = [frame for chunk in chunks for frame in decoder.push(chunk)]
    while (frame := decoder.flush()) is not None:
        out.append(frame)
    return out


def wav(
    audio: bytes,
    rate_hz: int,
    *,
    tag: int = 1,
    channels: int = 1,
    bits: int = 16,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    block = channels * bits // 8
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, channels, rate_hz, rate_hz * block, block, bits)
    body = b"WAVE" + before + fmt + struct.pack("<4sI", b"data", len(audio)) + audio + after
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) & 1)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Cuts by cycling through the sizes."""
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        size = sizes[len(parts) % len(sizes)]
        parts.append(data[at : at + size])
        at += size
    return parts


def test_an_internal_frame_passes_through_untouched() -> None:
    frame = sine(440, 20)
    decoder = WireDecoder(INTERNAL)
    decoder.push(frame)
    assert decoder.push(frame)[0] is frame
    assert decoder.flush() is None
    assert not decoder.wav_header_seen
    assert decoder.effective == INTERNAL


def test_odd_length_chunks_lose_nothing() -> None:
    pcm = sine(440, 200)
    decoder = WireDecoder(INTERNAL)
    assert b"".join(everything(decoder, cut(pcm, [333, 1, 7]))) == pcm


def test_flush_pads_the_part_frame_and_half_a_sample_waits_for_its_other_half() -> None:
    pcm = sine(440, 40)
    decoder = WireDecoder(INTERNAL)
    assert decoder.push(pcm[:101]) == []
    assert decoder.flush() == pcm[:100].ljust(FRAME_BYTES, b"\0")
    assert decoder.flush() is None
    assert decoder.push(pcm[101:741]) == [pcm[100:740]]


@settings(max_examples=80, deadline=None)
@given(
    encoding=st.sampled_from(ENCODINGS),
    rate_hz=st.sampled_from([3_000, 8_000, 11_025, 16_000, 24_000, 44_100]),
    body=st.binary(max_size=3_000),
    header=st.sampled_from(["none", "same", "stereo", "chunks", "streamed"]),
    sizes=st.lists(st.integers(1, 900), min_size=1, max_size=8),
)
def test_chunking_never_changes_the_frames(
    encoding: Encoding, rate_hz: int, body: bytes, header: str, sizes: list[int]
) -> None:
    sent = {
        "none": body,
        "same": wav(body, 16_000),
        "stereo": wav(body, 22_050, channels=2),
        "chunks": wav(body, 8_000, before=chunk(b"LIST", b"odd"), after=chunk(b"LIST", b"trailing")),
        "streamed": wav(b"", 8_000, tag=7, bits=8) + body,
    }[header]
    fmt = WireFormat(encoding, rate_hz)
    at_once, in_parts = WireDecoder(fmt), WireDecoder(fmt)
    expected = everything(at_once, [sent])
    assert everything(in_parts, cut(sent, sizes)) == expected
    assert all(len(frame) == FRAME_BYTES for frame in expected)
    assert in_parts.effective == at_once.effective
    assert in_parts.wav_header_seen is (header != "none")


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=4_000), sizes=st.lists(st.integers(1, 900), min_size=1, max_size=8))
def test_every_whole_sample_comes_out_in_order(body: bytes, sizes: list[int]) -> None:
    out = b"".join(everything(WireDecoder(INTERNAL), cut(body, sizes)))
    whole = body[: len(body) // 2 * 2]
    assert out == b"".join(frames(whole))


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 24_000, 44_100, 48_000])
def test_twenty_ms_in_are_one_frame_out_at_once_at_every_rate(rate_hz: int) -> None:
    decoder = WireDecoder(WireFormat("pcm_s16le", rate_hz))
    sent = sine(440, 1_000, 0.3, rate_hz)
    counts = [len(decoder.push(part)) for part in cut(sent, [rate_hz // 50 * 2])]
    assert counts == [1] * 50


@pytest.mark.parametrize("rate_hz", [3_000, 8_000, 11_025, 16_000, 24_000, 44_100, 192_000])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_tone_arrives_at_its_frequency_and_full_length(rate_hz: int, encoding: Encoding) -> None:
    encode: dict[Encoding, Callable[[bytes], bytes]] = {"pcm_s16le": bytes, "mulaw": mulaw_encode, "alaw": alaw_encode}
    sent = encode[encoding](sine(440, 1_000, 0.3, rate_hz))
    out = everything(WireDecoder(WireFormat(encoding, rate_hz)), cut(sent, [501]))
    assert tone_power(b"".join(out[:50]), 440) == pytest.approx(0.09, rel=0.03)
    assert len(out) - 50 == (rate_hz != 16_000)


def test_a_pause_is_flushed_and_the_stream_goes_on_in_step() -> None:
    decoder = WireDecoder(PHONE)
    sent = mulaw_encode(sine(440, 100, 0.3, 8_000))
    before = everything(decoder, [sent])
    assert len(before) == 6
    assert decoder.flush() is None
    assert everything(decoder, [sent]) == before


def test_bytes_that_only_begin_like_a_wav_file_are_audio() -> None:
    looks_alike = b"RIFF\0\0\0\0WAVY" + bytes(628)
    assert everything(WireDecoder(INTERNAL), cut(looks_alike, [1])) == [looks_alike]
    assert everything(WireDecoder(INTERNAL), [b"RIFF"]) == [b"RIFF".ljust(FRAME_BYTES, b"\0")]


@pytest.mark.parametrize("declared", [INTERNAL, PHONE, WireFormat("alaw", 44_100)])
@pytest.mark.parametrize("sizes", [[100_000], [1], [7, 30, 640]])
def test_a_whole_wav_file_is_stripped_and_its_header_believed(declared: WireFormat, sizes: list[int]) -> None:
    pcm = sine(440, 100)
    decoder = WireDecoder(declared)
    sent = wav(pcm, 16_000, before=chunk(b"LIST", b"INFOx"), after=chunk(b"id3 ", bytes(31)))
    assert b"".join(everything(decoder, cut(sent, sizes))) == pcm
    assert decoder.wav_header_seen
    assert decoder.effective == INTERNAL


def test_audio_after_the_end_of_the_wav_file_goes_on() -> None:
    pcm = sine(440, 100)
    sent = wav(pcm[:1_280], 16_000, after=chunk(b"LIST", bytes(9))) + pcm[1_280:]
    for sizes in ([100_000], [1], [640]):
        assert b"".join(everything(WireDecoder(INTERNAL), cut(sent, sizes))) == pcm


@pytest.mark.parametrize("riff_size", [0, 36 + 3_200, 0xFFFF_FFFF])
@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF])
def test_a_wav_header_of_open_length_means_audio_to_the_end(size: int, riff_size: int) -> None:
    pcm = sine(440, 100)
    header = b"RIFF" + struct.pack("<I", riff_size) + wav(b"", 16_000)[8:40] + struct.pack("<I", size)
    assert b"".join(everything(WireDecoder(PHONE), cut(header + pcm, [77]))) == pcm


def test_a_riff_size_that_is_wrong_swallows_no_audio() -> None:
    pcm = sine(440, 100)
    sent = b"RIFF\xff\xff\xff\x7f" + wav(pcm[:640], 16_000)[8:] + pcm[640:]
    assert b"".join(everything(WireDecoder(INTERNAL), [sent])) == pcm


def test_a_stereo_wav_is_mixed_to_mono() -> None:
    left, right = np.frombuffer(sine(440, 200), dtype="<i2"), np.frombuffer(sine(1_500, 200), dtype="<i2")
    decoder = WireDecoder(INTERNAL)
    out = b"".join(everything(decoder, cut(wav(np.stack([left, right], 1).tobytes(), 16_000, channels=2), [333])))
    assert decoder.channels == 2
    assert len(out) == 2 * left.size
    assert tone_power(out, 440) == pytest.approx(0.15**2, rel=0.01)
    assert tone_power(out, 1_500) == pytest.approx(0.15**2, rel=0.01)


@pytest.mark.parametrize(("tag", "encoding"), [(7, "mulaw"), (6, "alaw")])
def test_a_g711_wav_is_decoded_by_its_header(tag: int, encoding: Encoding) -> None:
    encode = mulaw_encode if encoding == "mulaw" else alaw_encode
    decoder = WireDecoder(INTERNAL)
    out = everything(decoder, [wav(encode(sine(440, 200, 0.3, 8_000)), 8_000, tag=tag, bits=8)])
    assert decoder.effective == WireFormat(encoding, 8_000)
    assert tone_power(b"".join(out[:10]), 440) == pytest.approx(0.09, rel=0.05)


def test_an_extensible_wav_header_is_understood() -> None:
    guid = struct.pack("<H", 1) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    fmt = chunk(b"fmt ", struct.pack("<HHIIHHHHI", 0xFFFE, 1, 16_000, 32_000, 2, 16, 22, 16, 4) + guid)
    pcm = sine(440, 40)
    body = b"WAVE" + fmt + chunk(b"data", pcm)
    decoder = WireDecoder(PHONE)
    assert b"".join(everything(decoder, [b"RIFF" + struct.pack("<I", len(body)) + body])) == pcm
    assert decoder.effective == INTERNAL


NO_FMT = b"WAVE" + chunk(b"data", bytes(640))
SHORT_FMT = b"WAVE" + chunk(b"fmt ", bytes(14)) + chunk(b"data", bytes(640))
ENDLESS = b"WAVE" + b"LIST\xff\xff\xff\x7f" + bytes(100)


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        (wav(bytes(8), 16_000, bits=24), "tag 1 with 24 bits"),
        (wav(bytes(8), 16_000, tag=3, bits=32), "tag 3 with 32 bits"),
        (wav(bytes(8), 1_000), "sample_rate_hz: 1000"),
        (wav(bytes(8), 16_000, channels=0), "channels is 0"),
        (b"RIFF\0\0\0\0" + NO_FMT, "no fmt chunk"),
        (b"RIFF\0\0\0\0" + SHORT_FMT, "14 bytes is too short"),
        (b"RIFF\0\0\0\0" + ENDLESS, "no audio within the first 65536 bytes"),
    ],
)
def test_a_wav_header_that_cannot_be_used_is_refused_at_every_push(sent: bytes, complaint: str) -> None:
    decoder = WireDecoder(INTERNAL)
    for data in (sent, b"more"):
        with pytest.raises(WavHeaderInvalid, match=rf"^wav header: .*{complaint}"):
            decoder.push(data)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 24_000, 44_100])
def test_every_frame_leaves_as_twenty_ms_in_the_callers_format(encoding: Encoding, rate_hz: int) -> None:
    fmt = WireFormat(encoding, rate_hz)
    encoder = WireEncoder(fmt)
    sizes = [len(encoder.push(frame)) for frame in frames(sine(440, 1_000))]
    ideal = rate_hz / 50 * fmt.bytes_per_sample
    assert all(abs(size - ideal) < 2 * fmt.bytes_per_sample for size in sizes)
    assert abs(sum(sizes) - 50 * ideal) <= 2 * fmt.bytes_per_sample


def test_what_is_encoded_for_a_phone_decodes_to_the_same_tone() -> None:
    encoder = WireEncoder(PHONE)
    sent = b"".join(encoder.push(frame) for frame in frames(sine(440, 1_000))) + encoder.flush()
    assert tone_power(mulaw_decode(sent), 440, 8_000) == pytest.approx(0.09, rel=0.03)
    back = everything(WireDecoder(PHONE), cut(sent, [160]))
    assert tone_power(b"".join(back[:50]), 440) == pytest.approx(0.09, rel=0.03)


def test_internal_frames_are_encoded_without_a_copy() -> None:
    frame = sine(440, 20)
    assert WireEncoder(INTERNAL).push(frame) is frame
    assert WireEncoder(INTERNAL).flush() == b""
