"""A call in virtual time: the table as it is, with a caller, a line, a voice and a model made of timetables."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from virtual_model import VirtualModel

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.message import Message
from voxbus_llm_orchestrator.apply import apply
from voxbus_llm_orchestrator.decision import (
    AskEndpointing,
    AskModel,
    At,
    Decide,
    DropModel,
    Out,
    View,
)
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.state import CallState
from voxbus_llm_orchestrator.table import decide

MS_PER_CHARACTER = 50
_UNTIL_RESUMED_MS = 10**9


@dataclass
class Entry:
    """A line of the log."""

    producer: str
    message: Message
    event_id: str


@dataclass
class Line:
    """media-ingress and voice: what was said, how far it was played."""

    sounding: dict[int, int] = field(default_factory=dict)
    lengths: dict[int, int] = field(default_factory=dict)
    reflexes: dict[int, str] = field(default_factory=dict)
    cleared: int = 0
    free_at_ms: int = 0
    finished: set[int] = field(default_factory=set)
    back_ms: int = 0
    paused_ms: int | None = None
    paused_played: int = 0
    spent_speech: int = 0
    played_before: dict[int, int] = field(default_factory=dict)
    held: dict[int, c.SaySentence] = field(default_factory=dict)


class VirtualCall(VirtualModel):
    """Runs until a time; `answers` are the model's replies in order, each a list of sentences or (tool, arguments)."""

    def __init__(self, plan: Plan, answers: list[list[object]] | None = None) -> None:
        super().__init__(plan, answers)
        self.now_ms = 0
        self.log: list[Entry] = []
        self.reasons: list[str] = []
        self.line = Line()
        self.drops: type[Message] | None = None
        """Messages of this kind are lost."""
        self.mute: set[int] = set()
        """Utterances the voice says nothing of."""
        self.failing: set[int] = set()
        """Utterances the voice says it could not say."""
        self.language: str | None = None
        """What the recognizer tells of whatever the caller says from now on."""
        self.rescues: list[str] = []
        self.is_deaf = False
        """The bus may be saying what is not heard here."""
        self.advising = 0
        self.advice_ms: list[int | None] = []
        self.advice_delay_ms = 100
        self.plans: dict[str, Plan] = {}
        """Of the call's other assistants, by key."""
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._speech_seq = 0

    # --- the world ---

    def at(self, ms: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (ms, next(self._order), action))

    def happens(self, ms: int, producer: str, message: Message) -> None:
        self.at(ms, lambda: self.log_it(producer, message))

    def attach(self, ms: int = 0, attachment: int = 1, rings_ms: int = 30) -> None:
        attached = e.MediaAttached(
            attachment=attachment,
            transport="vapi.websocket",
            encoding="pcm_s16le",
            sample_rate_hz=16000,
            pts_ms=ms,
            resumed=attachment > 1,
        )
        self.happens(ms, "media-ingress", attached)
        if attachment == 1:
            self.happens(ms + rings_ms, "media-ingress", e.CallStarted(pts_ms=ms + rings_ms, setup_ms=rings_ms))

    def break_line(self, ms: int, back_ms: int | None = None) -> None:
        """The connection is lost; media-ingress keeps what was to be said, and goes on when the caller is back."""
        self.happens(ms, "media-ingress", e.MediaDetached(attachment=1, pts_ms=ms, clean=False, code=1006))
        self.at(ms, lambda: self._lose_line(10**9 if back_ms is None else back_ms - ms))
        if back_ms is not None:
            self.attach(back_ms, attachment=2)

    def _lose_line(self, for_ms: int) -> None:
        if self.line.paused_ms is not None:
            self._shift(self.now_ms - self.line.paused_ms - _UNTIL_RESUMED_MS)
            self.line.paused_ms = None
        self.line.back_ms = self.now_ms + for_ms
        self.line.played_before = {seq: self.now_ms - at for seq, at in self.line.sounding.items()}
        self._shift(for_ms)

    def _shift(self, for_ms: int) -> None:
        """Everything of the line that is still to come, comes later."""
        self._agenda = [
            (at + for_ms, order, action) if getattr(action, "line", False) else (at, order, action)
            for at, order, action in self._agenda
        ]
        heapq.heapify(self._agenda)
        self.line.sounding = {
            seq: at + for_ms if seq not in self.line.finished else at for seq, at in self.line.sounding.items()
        }
        self.line.free_at_ms += for_ms

    def caller_says(
        self,
        text: str,
        start_ms: int,
        length_ms: int = 1000,
        *,
        is_final_lost: bool = False,
        confidence: float | None = None,
        finished: float | None = None,
    ) -> None:
        """Speech, its partial and its final as vad and recognizer report them."""
        self._speech_seq += 1
        seq, end_ms = self._speech_seq, start_ms + length_ms
        self.happens(
            start_ms + 80,
            "vad",
            e.SpeechStarted(speech_seq=seq, pts_ms=start_ms, detected_pts_ms=start_ms + 80),
        )
        if text and length_ms > 400:
            partial = e.TranscriptPartial(
                transcript_seq=seq, text=text.split(maxsplit=1)[0], start_pts_ms=start_ms, end_pts_ms=start_ms + 300
            )
            self.happens(start_ms + 350, "stt-worker", partial)
        stopped = e.SpeechStopped(
            speech_seq=seq, pts_ms=end_ms, detected_pts_ms=end_ms + 200, voiced_ms=length_ms, finished=finished
        )
        self.happens(end_ms + 200, "vad", stopped)
        final = e.TranscriptFinal(
            transcript_seq=seq,
            text=text,
            start_pts_ms=start_ms,
            end_pts_ms=end_ms,
            speech_seq=seq,
            provider="virtual",
            recognition_ms=20,
            confidence=confidence,
            language=self.language,
        )
        if not is_final_lost:
            self.happens(end_ms + 220, "stt-worker", final)

    def caller_pauses(self, seq: int, pts_ms: int) -> None:
        """The vad tells of 40 ms of silence inside a stretch."""
        self.happens(pts_ms + 40, "vad", e.SpeechPaused(speech_seq=seq, pts_ms=pts_ms, detected_pts_ms=pts_ms + 40))

    def recognizer_guesses(self, text: str, ms: int, seq: int = 1) -> None:
        partial = e.TranscriptPartial(transcript_seq=seq, text=text, start_pts_ms=0, end_pts_ms=ms)
        self.happens(ms, "stt-worker", partial)

    def run(self, until_ms: int) -> "VirtualCall":
        wake = self.settle()
        while not self.state.ended:
            event_ms = self._agenda[0][0] if self._agenda else until_ms + 1
            next_ms = min(event_ms, wake if wake is not None else until_ms + 1)
            if next_ms > until_ms:
                break
            self.now_ms = max(self.now_ms, next_ms)
            while self._agenda and self._agenda[0][0] <= self.now_ms:
                heapq.heappop(self._agenda)[2]()
            wake = self.settle()
        self.now_ms = max(self.now_ms, until_ms)
        return self

    def worker_dies(self, ms: int) -> None:
        """Another takes over: it knows the log, and nothing of the model's request."""
        self.at(ms, self._take_over)

    def _take_over(self) -> None:
        self.asked_all()
        self.state = CallState()
        for entry in self.log:
            self.state = apply(self.state, entry.message, entry.event_id)

    # --- the orchestrator ---

    def log_it(self, producer: str, message: Message) -> None:
        if self.drops is not None and isinstance(message, self.drops):
            return
        entry = Entry(producer, message, f"e{len(self.log)}")
        self.log.append(entry)
        self.state = apply(self.state, message, entry.event_id)
        self.plan = self.plans.get(self.state.active, self.plan)
        if isinstance(message, e.SpeechStarted):
            self.at(max(self.now_ms + 1, message.pts_ms + self.plan.voice_ms), self._obey_reflex)

    def settle(self) -> int | None:
        for _ in range(100):
            self.go_on_with_what_waited()
            view = View(
                self.state,
                self.plan,
                self.now_ms,
                self.asking,
                advising=self.advising,
                spent=self.spent,
                is_deaf=self.is_deaf,
            )
            answer = decide(view)
            if not isinstance(answer, Decide):
                assert answer is None or answer.pts_ms > self.now_ms, "the table asked to be woken in the past"
                return answer.pts_ms if isinstance(answer, At) else None
            self.reasons.append(answer.reason)
            self.rescues += [answer.rescue] if answer.rescue else []
            self.carry_out(list(answer.outs))
        raise AssertionError(f"the table does not come to rest: {self.reasons[-5:]}")

    def carry_out(self, outs: list[Out]) -> None:
        for out in outs:
            match out:
                case AskModel(reply):
                    self.ask(reply)
                    self.at(self.now_ms + self.model_delay_ms, lambda reply=reply: self.answer(reply))
                case DropModel():
                    self.asked_all()
                case AskEndpointing(seq):
                    self.advising = seq
                    if self.advice_ms:
                        self._advise(seq, self.advice_ms.pop(0))
                case _:
                    self.log_it("llm-orchestrator", out)
                    self._react(out)

    def _advise(self, seq: int, wait_ms: int | None) -> None:
        at_ms = self.now_ms + self.advice_delay_ms
        told = e.TurnWaitAdvised(transcript_seq=seq, wait_ms=wait_ms, pts_ms=at_ms)
        self.happens(at_ms, "llm-orchestrator", told)

    # --- line and voice ---

    def _react(self, message: Message) -> None:
        match message:
            case c.SaySentence(hold=True):
                self.line.held[message.utterance_seq] = message
                self._synthesize(message)
            case c.SaySentence():
                self._synthesize(message)
                self._play(message)
            case e.ReplyStarted():
                for seq in message.utterances:
                    anchor = message.anchor_pts_ms if seq == min(message.utterances) else None
                    self._play(self.line.held.pop(seq).model_copy(update={"anchor_pts_ms": anchor}))
            case c.ClearPlayback():
                self._clear(message.up_to_utterance_seq)
            case c.ResumePlayback():
                self.line.spent_speech = max(self.line.spent_speech, message.speech_seq)
                self._go_on("command")

    def _synthesize(self, say: c.SaySentence) -> None:
        seq, is_failing = say.utterance_seq, say.utterance_seq in self.failing
        if seq in self.mute:
            return
        synthesized = e.SpeechSynthesized(
            utterance_seq=seq,
            duration_ms=0 if is_failing else MS_PER_CHARACTER * len(say.text),
            characters=len(say.text),
            first_audio_ms=5,
            provider="virtual",
            failed=is_failing,
        )
        self.happens(self.now_ms + 10, "tts-worker", synthesized)

    def _play(self, say: c.SaySentence) -> None:
        line, seq = self.line, say.utterance_seq
        if seq in self.mute:
            return
        length = 0 if seq in self.failing else MS_PER_CHARACTER * len(say.text)
        start = max(self.now_ms + 20, line.free_at_ms, say.not_before_pts_ms)
        line.free_at_ms = start + length
        line.lengths[seq] = length
        line.reflexes[seq] = say.reflex
        if seq in self.failing:
            self._on_line(start, lambda: self._finished(seq, 0))
            return
        self._on_line(start, lambda: self._started(seq, say.anchor_pts_ms))
        self._on_line(start + length, lambda: self._finished(seq, length))

    def _on_line(self, ms: int, action: Callable[[], None]) -> None:
        def on_line() -> None:
            action()

        on_line.line = True  # type: ignore[attr-defined]
        self.at(ms, on_line)

    def _started(self, seq: int, anchor: int | None) -> None:
        if seq > self.line.cleared:
            self.line.sounding[seq] = self.now_ms
            v2v = None if anchor is None else float(self.now_ms - anchor)
            self.log_it(
                "media-ingress",
                e.PlaybackStarted(
                    utterance_seq=seq, pts_ms=self.now_ms, anchor_pts_ms=anchor, v2v_ms=v2v, left_pts_ms=self.now_ms
                ),
            )
            self.at(self.now_ms + 20, self._obey_reflex)

    def _finished(self, seq: int, length: int) -> None:
        if seq > self.line.cleared:
            self.line.finished.add(seq)
            self.log_it("media-ingress", e.PlaybackFinished(utterance_seq=seq, played_ms=length, pts_ms=self.now_ms))

    def _obey_reflex(self) -> None:
        """Falls silent for speech that has lasted long enough, once per stretch; without a decision goes on."""
        line, stretches = self.line, self.state.stretches
        seq = max(stretches, default=0)
        is_due = seq > line.spent_speech and stretches[seq].started_pts_ms + self.plan.voice_ms <= self.now_ms
        sounding = [at for at in line.sounding if at > line.cleared and at not in line.finished]
        may = sounding and line.reflexes[sounding[0]] == "pause" and self.now_ms >= line.back_ms
        if not is_due or stretches[seq].stopped_pts_ms is not None or not may or line.paused_ms is not None:
            return
        line.spent_speech, line.paused_ms = seq, self.now_ms
        played = line.paused_played = self.now_ms - line.sounding[sounding[0]]
        self._shift(_UNTIL_RESUMED_MS)
        paused = e.PlaybackPaused(utterance_seq=sounding[0], played_ms=played, pts_ms=self.now_ms, reason="reflex")
        self.log_it("media-ingress", paused)
        self.at(self.now_ms + 700, lambda: self._go_on("no-decision") if line.spent_speech == seq else None)

    def _go_on(self, reason: str) -> None:
        line, paused_ms = self.line, self.line.paused_ms
        if paused_ms is None:
            return
        line.paused_ms = None
        (seq, *_) = (at for at in line.sounding if at > line.cleared and at not in line.finished)
        self._shift(self.now_ms - paused_ms - _UNTIL_RESUMED_MS)
        resumed = e.PlaybackResumed(utterance_seq=seq, played_ms=line.paused_played, pts_ms=self.now_ms, reason=reason)
        self.log_it("media-ingress", resumed)

    def _clear(self, upto: int) -> None:
        line = self.line
        line.held = {seq: say for seq, say in line.held.items() if seq > upto}
        sounding = [seq for seq in line.sounding if line.cleared < seq <= upto and seq not in line.finished]
        line.cleared = max(line.cleared, upto)
        paused_ms, line.paused_ms = line.paused_ms, None
        line.free_at_ms = self.now_ms
        seq = sounding[0] if sounding else 0
        played = 0
        if seq:
            is_down = self.now_ms < line.back_ms
            played = self.now_ms - line.sounding[seq] if paused_ms is None else line.paused_played
            played = line.played_before.get(seq, 0) if is_down else played
        cleared = e.PlaybackCleared(up_to_utterance_seq=upto, utterance_seq=seq, played_ms=played, pts_ms=self.now_ms)
        self.happens(self.now_ms + 2, "media-ingress", cleared)

    # --- readings ---

    def said(self, kind: type[Message]) -> list[Message]:
        return [entry.message for entry in self.log if isinstance(entry.message, kind)]

    @property
    def end_reason(self) -> str:
        ended = self.said(e.CallEnded)
        assert len(ended) <= 1, "call.ended was published twice"
        return ended[0].reason if ended else ""  # type: ignore[attr-defined]
