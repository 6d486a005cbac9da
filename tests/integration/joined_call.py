"""The orchestrator's turn table and media-ingress's playout, the real ones, joined by a bus in virtual time."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from virtual_call import VirtualCall

from voxbus_audio import FRAME_BYTES, FRAME_MS
from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.message import Message
from voxbus_llm_orchestrator.plan import Plan
from voxbus_media_ingress.clock import CallerClock
from voxbus_media_ingress.playout import Playout
from voxbus_media_ingress.utterance import AgentFrame

BUS_MS = 2


@dataclass
class Voice:
    """How the voice speaks: `gives_times` of words or not, and how long after the first sound it knows the length."""

    seed: int = 0
    gives_times: bool = True
    report_ms: int = 5
    lengths_ms: dict[int, int] = field(default_factory=dict)
    ends_ms: dict[int, list[int]] = field(default_factory=dict)

    def speak(self, say: c.SaySentence) -> e.SpeechSynthesized:
        """Words of uneven length; the sound ends a little after the last one."""
        rng = random.Random(f"{self.seed}/{say.utterance_seq}")
        words, at_ms, times = say.text.split(), 0, []
        for word in words:
            upto_ms = at_ms + rng.randrange(40, 60 + 70 * len(word))
            times.append(e.SpokenWord(text=word, start_ms=at_ms, end_ms=upto_ms))
            at_ms = upto_ms
        length_ms = math.ceil((at_ms + rng.randrange(0, 120)) / FRAME_MS) * FRAME_MS
        self.lengths_ms[say.utterance_seq] = length_ms
        self.ends_ms[say.utterance_seq] = [time.end_ms for time in times]
        return e.SpeechSynthesized(
            utterance_seq=say.utterance_seq,
            duration_ms=length_ms,
            characters=len(say.text),
            first_audio_ms=5,
            provider="virtual",
            words=tuple(times) if self.gives_times else (),
        )


class JoinedCall(VirtualCall):
    """A virtual call whose line is media-ingress's playout. `on_the_way` may lose, double or delay its reports: it
    gives the delays, in ms, after which a report of this call arrives."""

    def __init__(
        self,
        plan: Plan,
        answers: list[list[object]],
        voice: Voice,
        on_the_way: "Callable[[JoinedCall, Message], list[int]]" = lambda *_: [BUS_MS],
    ) -> None:
        super().__init__(plan, answers)
        self.voice = voice
        self.texts: dict[int, str] = {}
        self.left_frames: dict[int, int] = {}
        self.sent: list[tuple[int, int]] = []
        """(utterance, index) of every frame that left, read from the sound."""
        self._clock = CallerClock(0.0)
        self._playout = Playout(self._clock)
        self._on_the_way = on_the_way
        self._has_hung_up = False

    def hangs_up(self, ms: int) -> None:
        self.at(ms, self._hang_up)

    def left_text(self, seq: int) -> str:
        """Words of which the last sample left; where the voice gives no times, its letters share out the sound."""
        words, left_ms = self.texts[seq].split(), FRAME_MS * self.left_frames.get(seq, 0)
        if left_ms >= self.voice.lengths_ms[seq]:
            return self.texts[seq]
        if self.voice.gives_times:
            return " ".join(word for word, end in zip(words, self.voice.ends_ms[seq], strict=True) if end <= left_ms)
        whole = " ".join(words)
        starts = [" ".join(words[:count]) for count in range(len(words), -1, -1)]
        return next(text for text in starts if len(text) * self.voice.lengths_ms[seq] <= left_ms * len(whole))

    # --- media-ingress ---

    def log_it(self, producer: str, message: Message) -> None:
        super().log_it(producer, message)
        match message:
            case e.SpeechStarted():
                self._tell(lambda now_ms: self._playout.on_speech_started(message, now_ms))
            case e.SpeechStopped():
                self._tell(lambda _: self._playout.on_speech_stopped(message))
            case _:
                pass

    def _react(self, message: Message) -> None:
        match message:
            case c.SaySentence():
                self._speak(message)
                self._tell(lambda now_ms: self._playout.on_say(message, now_ms))
            case e.ReplyStarted():
                seqs, anchor = message.utterances, message.anchor_pts_ms
                self._tell(lambda now_ms: self._playout.on_release(seqs, anchor, now_ms))
            case c.ClearPlayback():
                self._tell(lambda now_ms: self._playout.on_clear(message.up_to_utterance_seq, now_ms))
            case c.CancelSpeech():
                self._tell(lambda now_ms: self._playout.on_cancel(message.up_to_utterance_seq, now_ms))
            case c.ResumePlayback():
                self._tell(lambda now_ms: self._playout.on_resume(now_ms, message.speech_seq))
            case _:
                pass

    def _obey_reflex(self) -> None:
        """The playout has one of its own."""

    def _tell(self, change: Callable[[float], None]) -> None:
        def arrives() -> None:
            change(float(self.now_ms))
            self._drive()

        self.at(self.now_ms + BUS_MS, arrives)

    def _speak(self, say: c.SaySentence) -> None:
        seq = say.utterance_seq
        self.texts[seq] = say.text
        synthesized = self.voice.speak(say)
        count = self.voice.lengths_ms[seq] // FRAME_MS

        def sounds() -> None:
            for index in range(count):
                pcm = (seq * 10_000 + index).to_bytes(4, "little") * (FRAME_BYTES // 4)
                self._playout.on_frame(AgentFrame(seq, index, pcm, index == count - 1, 1), float(self.now_ms))
            self._drive()

        def is_done() -> None:
            if seq > self.state.cleared_upto:
                self.log_it("tts-worker", synthesized)

        self.at(self.now_ms + 15, sounds)
        self.at(self.now_ms + 15 + self.voice.report_ms, is_done)

    def _drive(self) -> None:
        """What the alarm of media-ingress does: frames that are due leave, reports go their way."""
        playout, now_ms = self._playout, float(self.now_ms)
        if self._has_hung_up:
            return
        self._clock.poll(now_ms)
        while (due_ms := playout.next_due()) is not None and due_ms <= now_ms:
            frame = playout.tick(now_ms)
            if frame is not None:
                number = int.from_bytes(frame.pcm[:4], "little")
                self.sent.append((number // 10_000, number % 10_000))
                self.left_frames[frame.utterance_seq] = self.left_frames.get(frame.utterance_seq, 0) + 1
        self._report()
        if due_ms is not None:
            self.at(math.ceil(due_ms), self._drive)

    def _report(self) -> None:
        for event in self._playout.take_events():
            for delay_ms in self._on_the_way(self, event):
                self.happens(self.now_ms + delay_ms, "media-ingress", event)

    def _hang_up(self) -> None:
        self._drive()
        self._playout.break_off()
        self._report()
        self._has_hung_up = True
        gone = e.MediaDetached(attachment=1, pts_ms=self.now_ms, clean=True, code=1000)
        self.happens(self.now_ms + BUS_MS, "media-ingress", gone)
