"""What the orchestrator knows of a call: a function of the call's log, of every producer's messages in its own order.

The order between producers does not matter (a takeover reads them in another order than they were lived), because
nothing of another producer is ever deleted by our own events: ours name what they consumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from voxbus_contracts.destination import FIRST
from voxbus_contracts.events import DiscoveredTool, SpokenWord
from voxbus_llm_orchestrator.tool_lines import ToolLine


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the caller's speech, on the audio clock; `stopped_pts_ms` None = still speaking."""

    started_pts_ms: int
    stopped_pts_ms: int | None = None
    voiced_ms: int = 0
    paused_pts_ms: int | None = None
    """End of the last voiced sample before its latest pause; whether the caller went on is not said."""
    finished: float | None = None
    """Probability that the turn is over, by the prosody of its end."""


@dataclass(frozen=True, slots=True)
class Final:
    """What the recognizer understood of a stretch."""

    text: str
    speech_seq: int
    end_pts_ms: int
    confidence: float | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key the caller pressed."""

    digit: str
    pts_ms: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence we asked to be said."""

    reply: int
    turn: int
    text: str
    anchor_pts_ms: int | None
    interruptible: bool
    model_ms: int
    sentence_ms: int
    asked_pts_ms: int | None = None
    ordered_pts_ms: int = 0
    not_before_pts_ms: int = 0
    repeats: int = 0
    keys: str = ""
    """Tones of these in place of words."""


@dataclass(frozen=True, slots=True)
class Playback:
    """How much of an utterance left towards the caller."""

    started_pts_ms: int
    played_ms: int = 0
    finished: bool = False
    paused: bool = False
    paused_pts_ms: int | None = None
    """When it last fell silent in the middle; kept after it went on."""
    last_pts_ms: int = 0
    v2v_ms: float | None = None
    left_pts_ms: float | None = None
    waited_ms: float = 0.0
    voice_bus_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Voiced:
    """What the voice made of an utterance."""

    duration_ms: int
    first_audio_ms: int
    words: tuple[SpokenWord, ...] = ()
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """The caller's turn, committed."""

    text: str
    anchor_pts_ms: int
    endpointing_ms: int
    recognition_ms: int
    pts_ms: int = 0
    measured: bool = False
    is_spoken: bool = True
    """Not typed on the keypad."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, until it is finished or interrupted."""

    turn: int
    source: str
    started_pts_ms: int
    utterances: tuple[int, ...] = ()
    tools: tuple[str, ...] = ()
    generated: bool = False
    end_call: bool = False
    given_up_pts_ms: int | None = None
    given_up_reason: str = ""
    ended_pts_ms: int | None = None
    ended: Literal["", "finished", "interrupted"] = ""
    heard: str = ""
    cause: str = ""
    retries: int = 0
    retry_reason: str = ""
    retried_pts_ms: int = 0

    @property
    def asked_pts_ms(self) -> int:
        """When the model was asked last."""
        return max(self.started_pts_ms, self.retried_pts_ms)


MODEL_SOURCES = ("model", "tool")
"""Replies of these sources are the model's."""


def is_model_reply(reply: Reply) -> bool:
    return reply.source in MODEL_SOURCES


@dataclass(frozen=True, slots=True)
class Speculation:
    """An answer prepared before the turn is over: to what words, in what conversation, and what became of it."""

    turn: int
    text: str
    context: int
    basis: Literal["partial", "final"]
    started_pts_ms: int
    utterances: tuple[int, ...] = ()
    fate: Literal["", "given", "dropped"] = ""


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A tool the model asked for."""

    name: str
    arguments: Mapping[str, Any]
    reply: int
    turn: int
    ordered: bool = False
    finished: bool = False
    requested_pts_ms: int = 0
    duration_ms: int = 0
    result: str = ""
    failed: bool = False
    message: ToolLine | None = None
    """What its server wants to be said or told to the model."""


@dataclass(frozen=True, slots=True)
class Order:
    """A command from outside that waits to be carried out: say this, say the first message, or put this message in."""

    kind: Literal["say", "first-message", "message"]
    content: str
    role: str = "assistant"
    end_call: bool = False
    interruptible: bool = True
    interrupt: bool = False
    respond: bool = False


@dataclass(frozen=True, slots=True)
class HookRun:
    """The occasion of a hook has come; `reply`: which it is about, 0 = none."""

    hook: int
    on: str
    pts_ms: int
    reply: int = 0
    handoffs: int = 0
    """How often the call had been handed on: whose hook it is."""
    passed_over: str = ""
    end_reason: str = ""
    end_message: str | None = None


@dataclass(frozen=True, slots=True)
class MoveOrder:
    """A command from outside that the call goes elsewhere; `content` None = nothing is said about what is said."""

    request: Literal["transfer", "handoff"]
    destination: Mapping[str, Any]
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Where the call is to go by somebody else's word; no `destination` = nowhere, for that reason."""

    destination: Mapping[str, Any]
    result: str | None = None
    message: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Handoff:
    """Another assistant took over; replies from `first_reply` on are its own."""

    member: str
    before: str
    cause: str
    context: str
    max_messages: int
    first_reply: int


@dataclass(frozen=True, slots=True)
class Item:
    """Its place in the conversation: a turn, a reply, a message put in (`added`), or a handoff."""

    kind: Literal["turn", "reply", "added", "handoff"]
    number: int = 0
    role: str = ""
    content: str = ""
    cause: str = ""


@dataclass(frozen=True)
class CallState:
    """All of it. Mappings are never changed in place. Without slots, for `folding.changed`.

    `advice`: ms by transcript, None = the server did not answer. `speculations` are numbered like replies, and one that
    is given becomes one; `speculating` = the open one, 0 = none.
    """

    started: bool = False
    answered_pts_ms: int = 0
    """Where on the caller's clock: how long a call lasts and is silent counts from there, not from the ringing."""
    ended: bool = False
    attachment: int = 0
    attached_pts_ms: int = 0
    detached_pts_ms: int | None = None
    detached_clean: bool = False
    stretches: Mapping[int, Stretch] = field(default_factory=dict)
    judged: Mapping[int, float] = field(default_factory=dict)
    """By stretch: what the vad's turn model says, probability that the turn is over after it."""
    finals: Mapping[int, Final] = field(default_factory=dict)
    consumed: frozenset[int] = frozenset()
    language: str | None = None
    """The caller was last heard to speak, where that was noticed."""
    keys: tuple[Key, ...] = ()
    keys_taken: int = 0
    partial_seq: int = 0
    partial_text: str = ""
    partial_end_pts_ms: int = 0
    advice: Mapping[int, int | None] = field(default_factory=dict)
    turns: Mapping[int, Turn] = field(default_factory=dict)
    replies: Mapping[int, Reply] = field(default_factory=dict)
    speculations: Mapping[int, Speculation] = field(default_factory=dict)
    speculating: int = 0
    wasted_tokens: int = 0
    guesses_right: int = 0
    guesses_wrong: int = 0
    utterances: Mapping[int, Utterance] = field(default_factory=dict)
    playbacks: Mapping[int, Playback] = field(default_factory=dict)
    voiced: Mapping[int, Voiced] = field(default_factory=dict)
    tools: Mapping[str, ToolRun] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    """What tools' answers were asked for: known to every template from then on."""
    discoveries: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """By assistant and its mcp tool: when the server behind that was asked what it has, on the audio clock."""
    discovered: Mapping[tuple[str, int], tuple[DiscoveredTool, ...]] = field(default_factory=dict)
    """What those servers were found to have; nothing where they could not be asked."""
    orders: Mapping[str, Order] = field(default_factory=dict)
    carried_out: frozenset[str] = frozenset()
    hooks: Mapping[str, HookRun] = field(default_factory=dict)
    """By trigger: whose occasion has come."""
    doubted: tuple[int, ...] = ()
    """Transcripts the recognizer did not trust."""
    items: tuple[Item, ...] = ()
    cleared_upto: int = 0
    clear_ordered_upto: int = 0
    forgiven_seq: int = 0
    end_reasons: tuple[str, ...] = ()
    end_message: str | None = None
    """What the first of them said for a person."""
    muted: bool = False
    stand_in: int = 0
    active: str = FIRST
    """Key of the assistant that has the call; `stand_in`: which of its fallback models answers, 0 = its model."""
    handoffs: tuple[Handoff, ...] = ()
    move_orders: Mapping[str, MoveOrder] = field(default_factory=dict)
    searched: Mapping[str, int] = field(default_factory=dict)
    """By cause: when on the audio clock somebody was asked where the call goes."""
    found: Mapping[str, Found] = field(default_factory=dict)
    moved: frozenset[str] = frozenset()
    """Causes of moves that are done or refused."""
    transferred: bool = False
    hang_up_requested: bool = False

    # --- readings ----------------------------------------------------------------------------------------------

    @property
    def ending(self) -> HookRun | None:
        """The call is ending, and hooks of it have something to do first."""
        return next((run for run in self.hooks.values() if run.end_reason), None)

    @property
    def stretch(self) -> Stretch | None:
        """The latest one."""
        return self.stretches[max(self.stretches)] if self.stretches else None

    @property
    def is_caller_speaking(self) -> bool:
        latest = self.stretch
        return latest is not None and latest.stopped_pts_ms is None

    @property
    def unconsumed(self) -> list[tuple[int, Final]]:
        """Finals no turn has taken yet, in order."""
        return [(seq, self.finals[seq]) for seq in sorted(self.finals) if seq not in self.consumed]

    @property
    def latest_words(self) -> int:
        """The last transcript with words that no turn has taken, 0 = none."""
        return max((seq for seq, final in self.unconsumed if final.text), default=0)

    @property
    def awaits_final(self) -> bool:
        """Some stretch that ended after the last spoken turn has not been recognized yet."""
        recognized = {final.speech_seq for final in self.finals.values()}
        last_anchor = max((turn.anchor_pts_ms for turn in self.turns.values() if turn.is_spoken), default=-1)
        return any(
            (stretch.stopped_pts_ms or -1) > last_anchor and seq not in recognized
            for seq, stretch in self.stretches.items()
        )

    @property
    def guess(self) -> str:
        """What the recognizer makes of the caller's speech for now; "" once it has given its last word on it."""
        is_open = self.partial_seq not in self.finals and self.partial_seq not in self.consumed
        return self.partial_text if is_open else ""

    @property
    def open_replies(self) -> list[tuple[int, Reply]]:
        return [(number, self.replies[number]) for number in sorted(self.replies) if not self.replies[number].ended]

    @property
    def awaited_replies(self) -> list[tuple[int, Reply]]:
        """Open ones that nobody has given up."""
        return [(number, reply) for number, reply in self.open_replies if reply.given_up_pts_ms is None]

    @property
    def next_turn(self) -> int:
        return max(self.turns, default=0) + 1

    @property
    def next_reply(self) -> int:
        return max(max(self.replies, default=0), max(self.speculations, default=0)) + 1

    @property
    def next_utterance(self) -> int:
        return max(self.utterances, default=0) + 1

    @property
    def is_sounding(self) -> bool:
        """Some utterance has started to leave and is not over."""
        return any(
            not playback.finished and seq > self.cleared_upto and seq in self.utterances
            for seq, playback in self.playbacks.items()
        )

    @property
    def is_paused(self) -> bool:
        return self.paused_since_pts_ms is not None

    @property
    def paused_since_pts_ms(self) -> int | None:
        """When what sounded fell silent, to go on or to be cleared; None = nothing waits like that."""
        for seq, playback in self.playbacks.items():
            if playback.paused and not playback.finished and seq > self.cleared_upto:
                return playback.paused_pts_ms
        return None
