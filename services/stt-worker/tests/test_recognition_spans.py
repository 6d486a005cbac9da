"""When an utterance was recognized, told to the trace of the turn that took it."""

from voxbus_contracts.events import TranscriptFinal, TurnCommitted
from voxbus_runtime.telemetry import new_trace
from voxbus_stt_worker.tracing import RecognitionSpans
from voxbus_testing.spans import id_of, recording


def final(seq: int, recognition_ms: int) -> TranscriptFinal:
    return TranscriptFinal(
        transcript_seq=seq,
        text="words nobody may read in a trace",
        start_pts_ms=0,
        end_pts_ms=10,
        speech_seq=seq,
        provider="position",
        recognition_ms=recognition_ms,
    )


def committed(*seqs: int) -> TurnCommitted:
    return TurnCommitted(
        turn=1, text="x", transcript_seqs=seqs, anchor_pts_ms=0, pts_ms=5, reason="silence-after-final"
    )


def test_a_turn_gets_the_spans_of_the_finals_it_took_and_of_no_others() -> None:
    now = [1_000.0]
    with recording() as recorded:
        spans, turn, next_turn = RecognitionSpans(lambda: now[0]), new_trace(), new_trace()
        for seq in (1, 2, 3):
            spans.on_said(final(seq, recognition_ms=10 * seq))
            now[0] += 500
        spans.on_committed(committed(1, 2), turn)
        spans.on_committed(committed(1, 2), turn)
        spans.on_committed(committed(3), next_turn)
    assert recorded.told() == [
        ("recognition", 990, 1_000, id_of(turn)),
        ("recognition", 1_480, 1_500, id_of(turn)),
        ("recognition", 1_970, 2_000, id_of(next_turn)),
    ]
    assert all("words" not in str(span.attributes) for span in recorded.spans)


def test_finals_no_turn_ever_takes_are_forgotten() -> None:
    with recording() as recorded:
        spans = RecognitionSpans(lambda: 1_000.0)
        for seq in range(1, 101):
            spans.on_said(final(seq, 0))
        spans.on_committed(committed(1, 100), new_trace())
    assert len(recorded.spans) == 1
