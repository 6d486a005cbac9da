"""A call's log → the messages its server gets, each with the place in the log that it came from. Pure.

The same log makes the same messages at the same places, whoever reads it and however often. Nothing is made after the
call's end but the report, which is made of the records. What needs an answer (tool calls) is asked for elsewhere.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from voxbus_contracts.config import CallConfig
from voxbus_contracts.delivery import SERVER, Delivery, Place
from voxbus_contracts.destination import FIRST
from voxbus_contracts.events import CallEnded
from voxbus_contracts.message import Message
from voxbus_contracts.told.call_messages import CallMessages
from voxbus_contracts.told.shapes import told_call, whole_assistant

Fields = dict[str, Any]

REPORT: Final = "end-of-call-report"
UPLOAD: Final = "call.artifact.upload"
FINAL_TRANSCRIPT: Final = 'transcript[transcriptType="final"]'

_WORDLESS: Final = frozenset(
    {
        "assistant.started",
        "hang",
        "language-change-detected",
        "language-changed",
        REPORT,
        "speech-update",
        "status-update",
        "transfer-update",
        "user-interrupted",
    }
)
"""Of a private call nothing else is told: what is on its way is stored, and nothing that is said may be."""

TOLD: Final = _WORDLESS | {
    "assistant.speechStarted",
    UPLOAD,
    "conversation-update",
    "model-output",
    "phone-call-control",
    "transcript",
    FINAL_TRANSCRIPT,
    "voice-input",
}
"""All that is made here. Any other name in `serverMessages` is stored and has no effect."""

_WITHOUT_ARTIFACT: Final = frozenset(
    {"assistant.speechStarted", "model-output", "speech-update", "transcript", FINAL_TRANSCRIPT, "voice-input"}
)
"""So frequent that the conversation is not told anew with each."""

_LEAVING: Final = "transfer-update"
"""Of a handoff the server is told whose assistant had the call."""

_LATE_INDEX: Final = 1_000
"""Of the message that an answer is late, which no event brings about: behind those of the last event before it."""
_REPORT_INDEX: Final = 10_000


def wanted_of(config: CallConfig) -> frozenset[str]:
    """The messages the server of the assistant that speaks is to get; empty where there is none, or for a chat."""
    if config.message_server is None or config.is_chat:
        return frozenset()
    asked = (name.replace("'", '"').replace(" ", "") for name in config.assistant.server_messages)
    return frozenset(asked) & (_WORDLESS if config.is_private else TOLD)


def is_followed(config: CallConfig, kind: str = "") -> bool:
    """Does the server of any assistant the call may be with want anything, or messages of that type?"""
    keys = (FIRST, *(member.key for member in config.members))
    wanted = [wanted_of(config.spoken_by(key)) for key in keys]
    return any(kind in each if kind else each for each in wanted)


@dataclass(frozen=True, slots=True)
class LoggedFact:
    """An event or command of the call's log. `at_ms` since the epoch; `number` 0 = its producer numbers nothing."""

    stream_seq: int
    event_id: str
    stage: str
    epoch: int
    number: int
    at_ms: int
    message: Message


class ServerMessages:
    """One call's. Feed it the log in stream order; what comes twice or out of an epoch that is over is nothing."""

    def __init__(self, config: CallConfig) -> None:
        self._config = config
        self._messages = CallMessages(config, wanted_of)
        self._epochs: dict[str, int] = {}
        self._seen: set[str] = set()
        self._tails: dict[tuple[str, str], str] = {}
        self.read_up_to = 0
        """Stream sequence of the last event that was fed."""
        self.ended_seq = 0
        """Of call.ended, 0 = the call goes on."""

    @property
    def hang_due_ms(self) -> int | None:
        """When (ms since the epoch) the server is told that the answer is late, unless it sounds before."""
        return None if self.ended_seq else self._messages.hang_due_ms

    def knows(self, member: str) -> bool:
        return self._config.has_member(member)

    def learn(self, config: CallConfig) -> None:
        """The call may be handed to more assistants than was known when it began."""
        self._config = config
        self._messages.learn(config)

    def on_fact(self, fact: LoggedFact) -> list[Delivery]:
        """The messages that an event brings about, those that became due before it first."""
        if fact.stream_seq <= self.read_up_to:
            return []
        late = self.on_time(fact.at_ms) if self.read_up_to else []
        self.read_up_to = fact.stream_seq
        if self.ended_seq or fact.event_id in self._seen or not self._is_current(fact):
            return late
        self._seen.add(fact.event_id)
        before = self._messages.member
        told = self._messages.on_message(fact.message, fact.at_ms)
        if isinstance(fact.message, CallEnded):
            self.ended_seq = fact.stream_seq
        now = self._messages.member
        return late + [
            self._delivery(each, Place(fact.stream_seq, index), before if each["type"] == _LEAVING else now)
            for index, each in enumerate(told)
        ]

    def on_time(self, now_ms: int) -> list[Delivery]:
        """Tells a delayed answer, once per turn."""
        if self.ended_seq:
            return []
        told = self._messages.on_time(now_ms)
        return [self._delivery(each, Place(self.read_up_to, _LATE_INDEX), self._messages.member) for each in told]

    def report(self, fields: Mapping[str, Any], at_ms: int) -> Delivery | None:
        """The call's last message, None unless it is wanted and the end has been fed."""
        place = self.report_place
        if place is None:
            return None
        told = {"type": REPORT, "timestamp": at_ms, **fields}
        return self._delivery(told, place, self._messages.member)

    @property
    def report_place(self) -> Place | None:
        """Where the report stands or will stand; None where it is not wanted, or the end was not fed yet."""
        if not self.ended_seq or REPORT not in wanted_of(self._messages.speaking):
            return None
        return Place(self.ended_seq, _REPORT_INDEX)

    def upload(self, fields: Mapping[str, Any], at_ms: int, stored_seq: int) -> Delivery | None:
        """That the recording is stored, which the event at `stored_seq` said: behind the report.

        None unless it is wanted and the end has been fed.
        """
        if UPLOAD not in wanted_of(self._messages.speaking) or not 0 < self.ended_seq < stored_seq:
            return None
        return self._delivery(
            {"type": UPLOAD, "timestamp": at_ms, **fields}, Place(stored_seq, 0), self._messages.member
        )

    def artifact(self) -> Fields:
        """The conversation so far; nothing of it on a private call."""
        return {} if self._config.is_private else self._messages.artifact()

    def _is_current(self, fact: LoggedFact) -> bool:
        if not fact.number:
            return True
        current = self._epochs.get(fact.stage, 0)
        self._epochs[fact.stage] = max(current, fact.epoch)
        return fact.epoch >= current

    def _delivery(self, told: Fields, place: Place, member: str) -> Delivery:
        kind = told["type"]
        if "artifact" not in told:
            is_bare = kind in _WITHOUT_ARTIFACT or self._config.is_private
            told = {**told, "artifact": {} if is_bare else self._messages.artifact()}
        if kind == REPORT or told.get("status") == "ended":
            told = {**told, **self._what_went_wrong()}
        head = json.dumps(told, ensure_ascii=False)
        body = f'{{"message":{head[:-1]},{self._tail(member)}}}'
        return Delivery(self._config.ref, SERVER, kind, place, told["timestamp"], body.encode(), member=member)

    def _what_went_wrong(self) -> Fields:
        """Of a call that came in and that no assistant took."""
        verdict = self._config.verdict
        if verdict is None or not verdict.problem:
            return {}
        error = f"No assistant took the call: {verdict.reason}."
        return {"inboundPhoneCallDebuggingArtifacts": {"error": error, "assistantRequestError": verdict.problem}}

    def _tail(self, member: str) -> str:
        """`call`, `assistant`, `customer`, `phoneNumber`: the same in every message while status and assistant are."""
        status = self._messages.status
        if (member, status) not in self._tails:
            speaking = self._config.spoken_by(member)
            shared: Fields = {"call": told_call(speaking, status), "assistant": whole_assistant(speaking)}
            known = {name: self._config.variables.get(name) for name in ("customer", "phoneNumber")}
            shared |= {name: value for name, value in known.items() if isinstance(value, dict)}
            self._tails[member, status] = json.dumps(shared, ensure_ascii=False)[1:]
        return self._tails[member, status]
