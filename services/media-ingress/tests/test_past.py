"""What the log says about earlier attachments."""

from voxbus_contracts import Message
from voxbus_contracts.commands import (
    CancelSpeech,
    ClearPlayback,
    ControlCall,
    PausePlayback,
    ResumePlayback,
    SaySentence,
)
from voxbus_contracts.events import (
    CallEnded,
    CallRinging,
    CallStarted,
    MediaAttached,
    PlaybackCleared,
    PlaybackFinished,
    PlaybackProgressed,
    PlaybackStarted,
    StageClaimed,
)
from voxbus_media_ingress.past import Past, continued_pts_ms, fold

ATTACHED = MediaAttached(
    attachment=12, transport="vapi.websocket", encoding="pcm_s16le", sample_rate_hz=16_000, pts_ms=0, resumed=False
)


def say(seq: int) -> SaySentence:
    return SaySentence(utterance_seq=seq, reply=1, turn=0, text="x")


def played(seq: int, ms: int) -> list[Message]:
    return [
        PlaybackStarted(utterance_seq=seq, pts_ms=1_000 * seq),
        PlaybackProgressed(utterance_seq=seq, played_ms=ms, pts_ms=1_000 * seq + ms),
    ]


def test_a_call_nobody_attached_to_has_no_past() -> None:
    assert fold([None]) == Past()


def test_the_first_steps_of_a_call_are_not_taken_twice() -> None:
    claims = [StageClaimed(stage=s, epoch=n, worker="w", address="") for n, s in enumerate(("vad", "tts-worker"), 1)]
    past = fold([ATTACHED, CallRinging(), *claims, CallStarted(pts_ms=0, setup_ms=1)])
    assert (past.attachments, past.has_rung, past.has_started, past.has_ended) == (1, True, True, False)
    assert past.claimed == {"vad", "tts-worker"}
    past.apply(CallEnded(pts_ms=0, reason="x"))
    assert past.has_ended


def test_finished_and_cleared_utterances_are_behind_us_and_the_sounding_one_is_known() -> None:
    finished = PlaybackFinished(utterance_seq=1, played_ms=500, pts_ms=1_500)
    past = fold([say(1), *played(1, 500), finished, say(2), say(3), *played(2, 480)])
    assert (past.done_seq, past.sounding_pts_ms, past.sounding_played_ms) == (1, 2_000, 480)
    assert list(past.says) == [2, 3]
    past.apply(ClearPlayback(up_to_utterance_seq=2))
    assert past.unanswered_clear_seq == 2
    past.apply(PlaybackCleared(up_to_utterance_seq=2, utterance_seq=2, played_ms=480, pts_ms=3_000))
    assert (past.done_seq, past.sounding_played_ms, past.unanswered_clear_seq) == (2, 0, 0)


def test_commands_that_still_hold_are_remembered() -> None:
    past = fold([ControlCall(control="mute-customer"), ControlCall(control="mute-assistant"), PausePlayback()])
    assert (past.mutes.customer, past.mutes.assistant, past.is_paused) == (True, True, True)
    past.apply(ControlCall(control="unmute-customer"))
    past.apply(ControlCall(control="say-first-message"))
    past.apply(ResumePlayback())
    past.apply(CancelSpeech(up_to_utterance_seq=4))
    assert (past.mutes.customer, past.mutes.assistant, past.is_paused, past.cancelled_seq) == (False, True, False, 4)


def test_pts_go_on_by_the_servers_clock_in_whole_frames() -> None:
    assert continued_pts_ms(5_000, 70_000.0, 71_234.5) == 5_000 + 20 + 1_220
    assert continued_pts_ms(5_000, 70_000.0, 70_000.0) == 5_020
    assert continued_pts_ms(5_000, 70_000.0, 69_999.0) == 5_020
