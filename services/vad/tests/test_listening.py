"""One call's ear as a whole: which frames are judged, doubted and left out."""

from collections.abc import Callable

from voxbus_audio import FRAME_BYTES, SILENCE_FRAME
from voxbus_contracts.events import SpeechStarted, SpeechStopped
from voxbus_vad.cheap import Verdict
from voxbus_vad.detector import Hysteresis, Quiet, SpeechEvent
from voxbus_vad.listening import Listener

MARKS = {".": Verdict.SILENT, "x": Verdict.VOICED, "s": Verdict.LEANS_SILENT, "v": Verdict.LEANS_VOICED}


class ScriptedEar:
    """Reads its verdict from the frame's first byte."""

    def __init__(self) -> None:
        self.judged = 0

    def judge(self, pcm: bytes) -> Verdict:
        self.judged += 1
        return MARKS[chr(pcm[0])]


class PatientOpinion:
    """Keeps the asks until the test answers them."""

    def __init__(self) -> None:
        self.remembered: list[int] = []
        self.asked: list[tuple[int, Callable[[bool | None], bool]]] = []

    def remember(self, pts_ms: int, pcm: bytes) -> None:
        assert len(pcm) == FRAME_BYTES
        self.remembered.append(pts_ms)

    def ask(self, answer: Callable[[bool | None], bool]) -> None:
        self.asked.append((self.remembered[-1], answer))


def sound(mark: str) -> bytes:
    return mark.encode().ljust(FRAME_BYTES, b"\0")


def a_listener(ear: ScriptedEar | None = None) -> tuple[Listener, list[SpeechEvent]]:
    said: list[SpeechEvent] = []
    return Listener(ear or ScriptedEar(), Hysteresis(), Quiet(), said.append), said


def feed(listener: Listener, marks: str, from_ms: int = 0) -> None:
    for n, mark in enumerate(marks):
        listener.hear(from_ms + n * 20, sound(mark), False)


def test_voice_starts_and_silence_stops_the_speech() -> None:
    listener, said = a_listener()
    feed(listener, "..xxxx..........")
    assert said == [
        SpeechStarted(speech_seq=1, pts_ms=40, detected_pts_ms=100),
        SpeechStopped(speech_seq=1, pts_ms=120, detected_pts_ms=320, voiced_ms=80),
    ]


def test_filled_frames_are_silence_and_are_not_judged() -> None:
    ear = ScriptedEar()
    listener, said = a_listener(ear)
    for n in range(20):
        listener.hear(n * 20, sound("x"), True)
    assert said == []
    assert ear.judged == 0


def test_late_and_repeated_frames_do_not_reach_the_ear() -> None:
    ear = ScriptedEar()
    listener, _ = a_listener(ear)
    for pts_ms in (0, 20, 20, 0, 40):
        listener.hear(pts_ms, sound("x"), False)
    assert ear.judged == 3


def test_without_a_second_opinion_the_leaning_decides() -> None:
    listener, said = a_listener()
    feed(listener, "vvv")
    assert [event.pts_ms for event in said] == [0]
    listener, said = a_listener()
    feed(listener, "sss")
    assert said == []


def test_only_unsure_frames_are_asked_about_and_all_are_remembered() -> None:
    listener, _ = a_listener()
    opinion = PatientOpinion()
    listener.consult(opinion, 60)
    feed(listener, "..xxsx.v")
    listener.hear(160, sound("v"), True)
    assert [pts for pts, _ in opinion.asked] == [80, 140]
    assert opinion.remembered == [n * 20 for n in range(9)]


def test_doubting_voice_asks_about_everything_but_silence() -> None:
    listener, _ = a_listener()
    opinion = PatientOpinion()
    listener.consult(opinion, 60, doubt_voiced=True)
    feed(listener, ".xs.v")
    assert [pts for pts, _ in opinion.asked] == [20, 40, 80]


def test_the_answer_decides_and_the_frames_behind_wait_for_it() -> None:
    listener, said = a_listener()
    opinion = PatientOpinion()
    listener.consult(opinion, 60)
    feed(listener, "xxsx")
    assert said == []
    assert opinion.asked[0][1](True) is True
    assert said == [SpeechStarted(speech_seq=1, pts_ms=0, detected_pts_ms=60)]


def test_an_answer_that_takes_more_than_60_ms_of_audio_is_not_waited_for() -> None:
    listener, said = a_listener()
    opinion = PatientOpinion()
    listener.consult(opinion, 60)
    feed(listener, "xxvxx")
    assert said == []
    feed(listener, "x", from_ms=100)
    assert said == [SpeechStarted(speech_seq=1, pts_ms=0, detected_pts_ms=60)]
    assert opinion.asked[0][1](False) is False


def test_leaving_decides_what_still_waits() -> None:
    listener, said = a_listener()
    listener.consult(PatientOpinion(), 60)
    feed(listener, "xxv")
    listener.settle()
    assert [event.detected_pts_ms for event in said] == [60]


def test_silence_frames_are_long_enough_to_be_remembered() -> None:
    listener, _ = a_listener()
    opinion = PatientOpinion()
    listener.consult(opinion, 60)
    listener.hear(0, SILENCE_FRAME, True)
    assert opinion.remembered == [0]


def test_a_lull_is_told_once_with_where_the_voice_ended_and_only_inside_speech() -> None:
    listener, said = a_listener()
    lulls: list[tuple[int, int]] = []
    listener.expect_stops(120, lambda pts_ms: lulls.append((pts_ms, len(said))))
    feed(listener, "........xxxx.....xxxx..............")
    assert lulls == [(420, 1)], "before the stop is said, and not for a pause of 100 ms"
    assert isinstance(said[-1], SpeechStopped)
    assert said[-1].pts_ms == 420
