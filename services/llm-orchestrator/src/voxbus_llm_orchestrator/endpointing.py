"""How long the caller must be silent before it is the assistant's turn: one pure function, and why.

The wait counts from the caller's last voiced sample. First that applies: a custom rule, the smart plan, the
transcription plan if one was given, the platform's own judgement.
"""

import math
import re
from dataclasses import dataclass, field
from typing import Final, Protocol

from voxbus_contracts.formula import Formula
from voxbus_contracts.pattern import Pattern
from voxbus_contracts.speaking import (
    DEFAULT_WAIT_FUNCTION,
    WAIT_FUNCTION_NAMES,
    CustomEndpointingRule,
    SmartEndpointingPlan,
    StartSpeakingPlan,
    TranscriptionEndpointingPlan,
)
from voxbus_llm_orchestrator.end_of_turn import DEFAULT_POLICY, Evidence, Policy, probability, silence_needed_ms
from voxbus_llm_orchestrator.pauses import Pauses

LONGEST_WAIT_MS: Final = 15_000
"""No plan keeps the caller waiting longer; the public API's limit for rules and servers."""

UNSURE_WAIT_MS: Final = 1_500
"""Below krisp's threshold; the public API's wait for a transcript without punctuation."""

_ENDS_WITH_NUMBER: Final = re.compile(
    r"(?:\d|\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million))\W*\Z",
    re.IGNORECASE,
)
_PUNCTUATED: Final = re.compile(r"[.!?。！？…]['\")\]]*\Z")


@dataclass(frozen=True, slots=True)
class TurnSoFar:
    """What the caller has said since the last turn; the times are ms of the audio clock or lengths in it.

    `asked` = the assistant's last message. `pauses` = the caller's on this call. `audio` = the turn
    model's probability that the turn is over, `prosody` the one by level and pitch. `is_punctuated`: the recognizer
    writes punctuation. `advised_ms` = what the customer's endpointing server said to this text, None = nothing (yet).
    """

    text: str
    asked: str = ""
    began_pts_ms: int = 0
    ended_pts_ms: int = 0
    pauses: Pauses = field(default_factory=Pauses)
    audio: float | None = None
    prosody: float | None = None
    is_punctuated: bool = False
    advised_ms: int | None = None

    @property
    def length_ms(self) -> int:
        return max(0, self.ended_pts_ms - self.began_pts_ms)


class Judge(Protocol):
    """The platform's own judgement of a turn."""

    def probability(self, turn: TurnSoFar) -> float:
        """That the turn is over, 0 to 1."""
        ...

    def wait_ms(self, turn: TurnSoFar) -> int:
        """After the last voiced sample."""
        ...

    @property
    def reason(self) -> str:
        """The name of the judgement."""
        ...


@dataclass(frozen=True, slots=True)
class ByEvidence:
    """What the words and the caller's own pauses say: one probability, one policy."""

    policy: Policy = DEFAULT_POLICY
    language: str = "en"
    reason: str = "evidence"

    def probability(self, turn: TurnSoFar) -> float:
        return probability(self._evidence(turn))

    def wait_ms(self, turn: TurnSoFar) -> int:
        return silence_needed_ms(self._evidence(turn), self.policy)

    def _evidence(self, turn: TurnSoFar) -> Evidence:
        return Evidence(
            silence_ms=0,
            text=turn.text,
            has_punctuation=turn.is_punctuated,
            pauses=turn.pauses,
            audio=turn.audio,
            prosody=turn.prosody,
            speech_ms=turn.length_ms,
            language=self.language,
            asked=turn.asked,
        )


@dataclass(frozen=True, slots=True)
class FixedSilence:
    """The same silence whatever was said."""

    silence_ms: int = 500
    reason: str = "silence"

    def probability(self, turn: TurnSoFar) -> float:
        return 0.9 if _PUNCTUATED.search(turn.text) else 0.5

    def wait_ms(self, turn: TurnSoFar) -> int:
        return self.silence_ms


@dataclass(frozen=True, slots=True)
class Rule:
    """A customer's rule; a pattern that is None matches anything."""

    assistant: Pattern | None
    customer: Pattern | None
    wait_ms: int

    def fits(self, turn: TurnSoFar) -> bool:
        asked = self.assistant is None or self.assistant.is_in(turn.asked)
        return asked and (self.customer is None or self.customer.is_in(turn.text))


@dataclass(frozen=True, slots=True)
class Smart:
    """A smart plan: its provider's name, and what that needs."""

    provider: str
    formula: Formula | None = None
    threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class ByTranscript:
    """Waits by the look of the transcript."""

    punctuation_ms: int
    no_punctuation_ms: int
    number_ms: int


@dataclass(frozen=True, slots=True)
class Endpointing:
    """The assistant's plan, ready to be asked."""

    rules: tuple[Rule, ...] = ()
    smart: Smart | None = None
    by_transcript: ByTranscript | None = None
    judge: Judge = field(default_factory=FixedSilence)

    @property
    def asks_server(self) -> bool:
        return self.smart is not None and self.smart.provider == "custom-endpointing-model"


@dataclass(frozen=True, slots=True)
class Wait:
    """After the last voiced sample; `reason` names what decided."""

    ms: int
    reason: str


def endpoint(plan: Endpointing, turn: TurnSoFar) -> Wait:
    """How long to wait after what the caller has said so far."""
    rule = rule_for(plan, turn)
    if rule is not None:
        return Wait(rule.wait_ms, "custom-rule")
    smart = plan.smart
    if smart is not None and plan.asks_server and turn.advised_ms is not None:
        return Wait(_bounded(turn.advised_ms), smart.provider)
    if smart is not None and not plan.asks_server:
        return Wait(_bounded(_by_probability(smart, plan.judge, turn)), smart.provider)
    if plan.by_transcript is not None:
        return _by_look(plan.by_transcript, turn.text)
    return Wait(_bounded(plan.judge.wait_ms(turn)), plan.judge.reason)


def rule_for(plan: Endpointing, turn: TurnSoFar) -> Rule | None:
    """The first custom rule that matches."""
    return next((rule for rule in plan.rules if rule.fits(turn)), None)


def _by_probability(smart: Smart, judge: Judge, turn: TurnSoFar) -> float:
    over = judge.probability(turn)
    if smart.formula is not None:
        return smart.formula.value(x=1.0 - over, t=turn.length_ms / 1000)
    wait_ms = judge.wait_ms(turn)
    return max(wait_ms, UNSURE_WAIT_MS) if smart.provider == "krisp" and over < smart.threshold else wait_ms


def _by_look(waits: ByTranscript, text: str) -> Wait:
    if ends_with_number(text):
        return Wait(waits.number_ms, "number")
    if _PUNCTUATED.search(text.strip()):
        return Wait(waits.punctuation_ms, "punctuation")
    return Wait(waits.no_punctuation_ms, "no-punctuation")


def ends_with_number(text: str) -> bool:
    """In digits or in words."""
    return _ENDS_WITH_NUMBER.search(text) is not None


def _bounded(wait_ms: float) -> int:
    """Whole ms within what is allowed; a formula that has no value there waits as long as an unsure one."""
    if math.isnan(wait_ms):
        return UNSURE_WAIT_MS
    return round(min(max(wait_ms, 0.0), LONGEST_WAIT_MS))


# --- from the configuration ---


def endpointing_of(start: StartSpeakingPlan, judge: Judge) -> Endpointing:
    """The plan with its expressions compiled; whether a transcription plan was given counts, not its values."""
    given = "transcription_endpointing_plan" in start.model_fields_set
    return Endpointing(
        rules=tuple(_rule_of(rule) for rule in start.custom_endpointing_rules),
        smart=_smart_of(start.smart) if start.smart else None,
        by_transcript=_by_transcript_of(start.transcription_endpointing_plan) if given else None,
        judge=judge,
    )


def _rule_of(rule: CustomEndpointingRule) -> Rule:
    return Rule(rule.assistant_pattern, rule.customer_pattern, _ms(rule.timeout_seconds))


def _smart_of(smart: SmartEndpointingPlan) -> Smart:
    formula = None
    if smart.provider == "livekit":
        formula = Formula.parse(smart.wait_function or DEFAULT_WAIT_FUNCTION, WAIT_FUNCTION_NAMES)
    return Smart(smart.provider, formula, 0.5 if smart.threshold is None else smart.threshold)


def _by_transcript_of(plan: TranscriptionEndpointingPlan) -> ByTranscript:
    return ByTranscript(
        punctuation_ms=_ms(plan.on_punctuation_seconds),
        no_punctuation_ms=_ms(plan.on_no_punctuation_seconds),
        number_ms=_ms(plan.on_number_seconds),
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
