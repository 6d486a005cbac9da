"""When an utterance sounded, told to the trace of its turn."""

from voxbus_contracts.commands import SaySentence
from voxbus_contracts.events import PlaybackCleared, PlaybackFinished, PlaybackStarted
from voxbus_media_ingress.playout_spans import PlayoutSpans
from voxbus_runtime.telemetry import new_trace
from voxbus_testing.spans import id_of, recording


def say(seq: int) -> SaySentence:
    return SaySentence(utterance_seq=seq, reply=1, turn=1, text="words nobody may read in a trace")


def test_an_utterance_is_a_span_from_its_first_frame_to_its_last_sample_or_its_being_cleared() -> None:
    now = [1_000.0]
    with recording() as recorded:
        spans, turn = PlayoutSpans(lambda: now[0]), new_trace()
        for seq in (1, 2, 3):
            spans.on_message(say(seq), turn)
        spans.on_playback(PlaybackStarted(utterance_seq=1, pts_ms=0, waited_ms=15))
        now[0] = 2_000
        spans.on_playback(PlaybackFinished(utterance_seq=1, played_ms=1_000, pts_ms=1_000))
        spans.on_playback(PlaybackStarted(utterance_seq=2, pts_ms=1_000))
        now[0] = 2_300
        spans.on_playback(PlaybackCleared(up_to_utterance_seq=3, utterance_seq=2, played_ms=300, pts_ms=1_300))
    assert recorded.told() == [("playout", 985, 2_000, id_of(turn)), ("playout", 2_000, 2_300, id_of(turn))]
    first, second = recorded.spans
    assert [event.timestamp for event in first.events] == [1_000_000_000]
    assert dict(second.attributes or {}) == {"voxbus.played_ms": 300, "voxbus.cleared": True, "voxbus.utterance": 2}


def test_without_a_place_for_spans_nothing_is_kept() -> None:
    spans = PlayoutSpans()
    spans.on_message(say(1), new_trace())
    spans.on_playback(PlaybackStarted(utterance_seq=1, pts_ms=0))
    assert not spans._parents
    assert not spans._sounding
