"""How the caller of `voxbus call` listens, speaks and hangs up: in virtual time."""

from collections.abc import Iterator

import pytest

from voxbus_cli.call.conduct import CallerSpeech, Conduct, Manners, Phase, caller_speech
from voxbus_cli.call.voice import AgentVoice

RATE = 16_000
LOUD = b"\x10\x20" * 320
QUIET = bytes(640)


class Line:
    """A call in virtual time: says what the agent is heard saying, collects what the caller sends."""

    def __init__(self, speech_frames: int = 50, rate: int = RATE, **manners: float | bool | None) -> None:
        self.voice = AgentVoice(rate)
        speech = CallerSpeech(LOUD * speech_frames, rate, speech_frames)
        self.conduct = Conduct(speech, self.voice, Manners(**manners))  # type: ignore[arg-type]
        self.sent: list[tuple[float, bytes]] = []
        self.now_s = 0.0

    def run(self, agent: list[tuple[float, float]], limit_s: float = 60.0) -> float:
        """`agent`: stretches (from, to) of speech. Gives when the caller hung up."""
        pending = list(self._chunks(agent))
        while self.now_s < limit_s:
            while pending and pending[0] <= self.now_s:
                self.voice.hear(pending.pop(0), LOUD, is_audible=True)
            frame = self.conduct.next_frame(self.now_s)
            if frame is None:
                return self.now_s
            self.sent.append((self.now_s, frame))
            self.now_s = round(self.now_s + self.conduct.interval_s, 6)
        raise AssertionError("the caller never hung up")

    def _chunks(self, agent: list[tuple[float, float]]) -> Iterator[float]:
        for start_s, end_s in agent:
            for number in range(round((end_s - start_s) * 50)):
                yield round(start_s + number * 0.02, 6)

    def spoke_at(self) -> tuple[float, float]:
        loud = [at_s for at_s, frame in self.sent if frame == LOUD]
        return loud[0], loud[-1]


def test_the_caller_lets_the_greeting_end_before_speaking() -> None:
    line = Line()
    line.run([(0.4, 3.0), (5.0, 6.0)])
    assert line.spoke_at() == pytest.approx((3.5, 4.48), abs=0.03)


def test_the_caller_begins_when_nobody_greets() -> None:
    line = Line()
    line.run([(4.0, 5.0)])
    assert line.spoke_at()[0] == pytest.approx(2.0, abs=0.03)


def test_talking_over_starts_with_the_first_frame() -> None:
    line = Line(listens_first=False)
    line.run([(0.0, 3.0), (4.0, 5.0)])
    assert line.spoke_at()[0] == 0.0


def test_the_caller_hangs_up_two_seconds_after_the_answer() -> None:
    line = Line(listens_first=False)
    assert line.run([(2.0, 4.0)]) == pytest.approx(6.0, abs=0.05)
    assert line.conduct.why_hung_up == "answered"


def test_pauses_inside_an_answer_do_not_end_it() -> None:
    line = Line(listens_first=False)
    assert line.run([(2.0, 4.0), (5.5, 6.0)]) == pytest.approx(8.0, abs=0.05)


def test_a_greeting_that_only_outlasts_the_caller_is_not_taken_for_the_answer() -> None:
    line = Line(listens_first=False)
    assert line.run([(0.0, 1.5), (4.0, 5.0)]) == pytest.approx(7.0, abs=0.05)


def test_an_answer_right_behind_the_greeting_ends_the_call_a_little_later() -> None:
    line = Line(listens_first=False)
    assert line.run([(0.0, 5.0)]) == pytest.approx(11.0, abs=0.05)
    assert "without a pause" in line.conduct.why_hung_up


def test_an_answer_before_the_end_of_the_file_counts_when_the_rest_is_silence() -> None:
    speech = caller_speech(LOUD * 10 + QUIET * 200, RATE, lambda frame: frame == QUIET)
    assert speech.audible_frames == 10
    voice = AgentVoice(RATE)
    conduct = Conduct(speech, voice, Manners(listens_first=False))
    at_s = 0.0
    while conduct.next_frame(at_s) is not None and at_s < 9.0:
        at_s += 0.02
        if 1.0 <= at_s < 2.0:
            voice.hear(at_s, LOUD, is_audible=True)
    assert at_s == pytest.approx(4.2, abs=0.05)
    assert conduct.why_hung_up == "answered"


def test_patience_ends_when_no_answer_comes() -> None:
    line = Line(listens_first=False, patience_s=5.0)
    assert line.run([]) == pytest.approx(6.0, abs=0.05)
    assert "no answer" in line.conduct.why_hung_up


def test_hangup_after_ends_the_call_in_the_middle_of_an_answer() -> None:
    line = Line(listens_first=False, hangup_after_s=2.5)
    assert line.run([(2.0, 9.0)]) == pytest.approx(2.5, abs=0.03)


def test_silence_is_sent_while_the_caller_listens() -> None:
    line = Line(speech_frames=5, listens_first=False)
    line.run([(1.0, 2.0)])
    assert {frame for at_s, frame in line.sent if at_s > 0.1} == {QUIET}
    gaps = [later - earlier for (earlier, _), (later, _) in zip(line.sent, line.sent[1:], strict=False)]
    assert max(gaps) == pytest.approx(0.02)


def test_a_realtime_factor_shortens_the_speech_but_not_the_listening() -> None:
    line = Line(listens_first=False, realtime_factor=2.0)
    line.run([(2.0, 3.0)])
    assert line.spoke_at()[1] == pytest.approx(0.49, abs=0.02)
    assert line.conduct.phase is Phase.DONE


@pytest.mark.parametrize("rate", [3_000, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 192_000])
def test_frames_of_any_rate_carry_every_sample_once_in_real_time(rate: int) -> None:
    pcm = bytes(n % 251 for n in range(rate * 2 * 3))
    speech = CallerSpeech(pcm, rate, 0)
    frames = [speech.frame(number) for number in range(speech.frames)]
    assert len(frames) == 150
    assert b"".join(frames) == pcm
    assert all(len(frame) % 2 == 0 for frame in frames)


def test_a_file_shorter_than_a_frame_is_filled_up_with_silence() -> None:
    speech = caller_speech(b"\x01\x02" * 10, RATE, lambda _: False)
    assert (speech.frames, len(speech.frame(0)), speech.frame(0)[:20]) == (1, 640, b"\x01\x02" * 10)


def test_a_silent_file_is_spoken_to_its_end() -> None:
    assert caller_speech(QUIET * 7, RATE, lambda _: True).audible_frames == 7


def test_the_time_line_keeps_silence_between_answers_and_joins_late_chunks() -> None:
    voice = AgentVoice(1_000)
    voice.hear(1.0, b"\x01\x01" * 20, is_audible=True)
    voice.hear(1.1, b"\x02\x02" * 20, is_audible=True)  # 80 ms late: the network, not a pause
    voice.hear(2.0, b"\x03\x03" * 20, is_audible=True)
    line = voice.time_line(until_s=3.0)
    assert len(line) == 3_000 * 2
    assert line[2000:2080] == b"\x01\x01" * 20 + b"\x02\x02" * 20
    assert line[4000:4040] == b"\x03\x03" * 20
    assert line.count(0) == 6_000 - 120


def test_a_burst_is_laid_out_one_after_the_other() -> None:
    voice = AgentVoice(1_000)
    for _ in range(50):
        voice.hear(0.5, b"\x01\x01" * 20, is_audible=True)
    assert voice.sounding_until_s == pytest.approx(1.5)
    assert voice.time_line(0.0)[1000:] == b"\x01\x01" * 1_000


def test_a_silent_agent_leaves_a_silent_recording() -> None:
    assert AgentVoice(8_000).time_line(1.5) == bytes(24_000)
