"""Spans of a call: the root, its turns, the end of each turn, and what the model did.

A turn's span is recorded when the turn is measured, or over without a sound; its id follows from call and turn, so
every command of the turn can carry it before, and other services put their own spans under it. docs/latency.md.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from voxbus_contracts.assistant import Model
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import CallEnded, TurnCommitted, TurnMeasured
from voxbus_contracts.message import Message
from voxbus_llm_orchestrator import metrics
from voxbus_llm_orchestrator.asking import Answered, Heard, SentenceReady, ToolWanted
from voxbus_llm_orchestrator.audio_clock import AudioClock
from voxbus_llm_orchestrator.latency import endpointing_until_ms, since_pts_ms
from voxbus_llm_orchestrator.state import CallState
from voxbus_runtime.telemetry import CALL_SPAN, Attribute, PastSpan, child_of, is_traced, record


@dataclass(slots=True)
class Asking:
    """A request to the model under way: when it was asked, what is known of its answer."""

    since_unix_ms: float
    first_part_unix_ms: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def heard(self, heard: Heard) -> None:
        match heard:
            case SentenceReady(first_token_ms=first_ms):
                self.first_part_unix_ms = self.first_part_unix_ms or self.since_unix_ms + first_ms
            case ToolWanted():
                self.first_part_unix_ms = self.first_part_unix_ms or _unix_ms()
            case Answered(usage=usage):
                if usage is not None:
                    self.prompt_tokens, self.completion_tokens = usage.prompt_tokens, usage.completion_tokens


class CallTrace:
    """One call's spans, as its owner records them. Does nothing when spans go nowhere."""

    def __init__(self, config: CallConfig, clock: AudioClock) -> None:
        self._config = config
        self._clock = clock
        self._root = config.traceparent
        self._is_on = is_traced() and bool(config.traceparent)
        self._turns: dict[int, str] = {}
        self._recorded: set[int] = set()

    def traceparent_of(self, state: CallState, message: Message) -> str:
        """What a message carries: its turn's span, else "" for the call's."""
        if not self._is_on:
            return ""
        turn = int(getattr(message, "turn", 0))
        if isinstance(message, RunTool) and message.tool_call_id in state.tools:
            turn = state.tools[message.tool_call_id].turn
        return self._of_turn(turn)

    def on_said(self, state: CallState, message: Message) -> None:
        """Records what is over with this message; `state` knows it already."""
        if not self._is_on:
            return
        match message:
            case TurnMeasured():
                self._record_turn(state, message)
            case TurnCommitted(turn=turn):
                self._record_silent_turns(state, before=turn)
            case CallEnded(reason=reason):
                self._record_silent_turns(state, before=state.next_turn)
                attributes = {"voxbus.call": self._config.call, "voxbus.ended_reason": reason}
                span = PastSpan(CALL_SPAN, self._config.created_at_ms, _unix_ms(), attributes)
                record(span, parent="", own=self._root)
            case _:
                pass

    @contextmanager
    def asking(self, turn: int, model: Model) -> Generator[Asking]:
        """Around a request to the model; recorded however it ends."""
        asking = Asking(_unix_ms())
        try:
            yield asking
        finally:
            if self._is_on:
                self._record_request(turn, model, asking)

    def _of_turn(self, turn: int) -> str:
        if not turn:
            return ""
        known = self._turns.get(turn)
        if known is None:
            known = self._turns[turn] = child_of(self._root, metrics.TURN_SPAN, turn)
        return known

    def _unix(self, pts_ms: float) -> float:
        return self._clock.unix_ms_at(pts_ms, _unix_ms())

    def _record_turn(self, state: CallState, measured: TurnMeasured) -> None:
        turn = measured.turn
        if turn in self._recorded:
            return
        self._recorded.add(turn)
        since_ms = self._unix(since_pts_ms(state, measured))
        first_sound_ms = since_ms + measured.v2v_ms
        attributes: dict[str, Attribute] = {"voxbus.turn": turn, "voxbus.v2v_ms": measured.v2v_ms}
        attributes |= {f"voxbus.part.{part}_ms": ms for part, ms in measured.parts.items()}
        until_ms = first_sound_ms
        if measured.answer_ms is not None:
            attributes["voxbus.answer_ms"] = measured.answer_ms
            until_ms = since_ms + measured.answer_ms
        span = PastSpan(metrics.TURN_SPAN, since_ms, until_ms, attributes, {"first-sound": first_sound_ms})
        record(span, self._root, own=self._of_turn(turn))
        self._record_endpointing(state, turn, since_ms)

    def _record_silent_turns(self, state: CallState, before: int) -> None:
        """Turns that are over and of whose answer nothing was heard."""
        turn = max((number for number in state.turns if number < before), default=0)
        if not turn or turn in self._recorded or state.turns[turn].measured:
            return
        self._recorded.add(turn)
        since_ms = self._unix(state.turns[turn].anchor_pts_ms)
        attributes: dict[str, Attribute] = {"voxbus.turn": turn, "voxbus.unheard": True}
        record(PastSpan(metrics.TURN_SPAN, since_ms, _unix_ms(), attributes), self._root, own=self._of_turn(turn))
        self._record_endpointing(state, turn, since_ms)

    def _record_endpointing(self, state: CallState, turn: int, since_ms: float) -> None:
        until_ms = self._unix(endpointing_until_ms(state, turn))
        record(PastSpan(metrics.ENDPOINTING_SPAN, since_ms, until_ms), self._of_turn(turn))

    def _record_request(self, turn: int, model: Model, asking: Asking) -> None:
        attributes: dict[str, Attribute] = {
            "gen_ai.provider.name": model.provider,
            "gen_ai.request.model": model.model,
            "gen_ai.usage.input_tokens": asking.prompt_tokens,
            "gen_ai.usage.output_tokens": asking.completion_tokens,
        }
        moments = {"first-part": asking.first_part_unix_ms} if asking.first_part_unix_ms else {}
        span = PastSpan(metrics.MODEL_SPAN, asking.since_unix_ms, _unix_ms(), attributes, moments)
        record(span, self._of_turn(turn) or self._root)


def _unix_ms() -> float:
    return time.time_ns() / 1e6
