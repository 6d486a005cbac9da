"""What every caller of the chaos suite says, what the assistant has to answer, and when. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from voxbus_testing.speech import saying

LEAD_MS: Final = 1_500
PERIOD_MS: Final = 8_000
"""From one question to the next: room for question, answer and a gap of some seconds."""
LONG_PERIOD_MS: Final = 15_000
"""Room for a stream without a leader, too, which gets one after up to 9 s: what a tool does must be stored first. And
for a line that is dialled again and again until a new media-ingress is there."""
WORD_MS: Final = 240
MS_PER_CHARACTER: Final = 30
"""The stub voice's."""
PARCELS: Final = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet")
BOOKS_EVERY: Final = 3
"""Every third question has a tool run that must not run twice."""
TOOL: Final = "book_parcel"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and the sentences it is answered with. `at_ms`: its first sample on the caller's clock."""

    at_ms: int
    question: str
    answer: str
    parcel: str
    books: bool

    @property
    def asked_ms(self) -> int:
        """Where the question ends."""
        return self.at_ms + len(self.question.split()) * WORD_MS

    @property
    def answer_ms(self) -> int:
        return len(self.answer) * MS_PER_CHARACTER


@dataclass(frozen=True, slots=True)
class Talk:
    """The whole conversation of one call."""

    exchanges: tuple[Exchange, ...]
    period_ms: int = PERIOD_MS

    @property
    def ends_ms(self) -> int:
        """When the caller hangs up at the earliest."""
        return self.exchanges[-1].at_ms + self.period_ms

    @property
    def answers(self) -> str:
        return " ".join(exchange.answer for exchange in self.exchanges)

    def labels(self) -> list[dict[str, Any]]:
        """For the position recognizer, on the caller's clock."""
        spoken = [saying(exchange.question, WORD_MS).labels_at(exchange.at_ms) for exchange in self.exchanges]
        return [label for labels in spoken for label in labels]


def talk_of(exchanges: int, period_ms: int = PERIOD_MS) -> Talk:
    """A conversation of 1 to 10 exchanges."""
    if not 1 <= exchanges <= len(PARCELS):
        raise ValueError(f"exchanges: must be from 1 to {len(PARCELS)}")
    return Talk(tuple(_exchange(number, period_ms) for number in range(exchanges)), period_ms)


def _exchange(number: int, period_ms: int) -> Exchange:
    parcel = PARCELS[number]
    books = number % BOOKS_EVERY == BOOKS_EVERY - 1
    question = f"please book my parcel {parcel} today" if books else f"tell me where parcel {parcel} is"
    answer = (
        f"Parcel {parcel} is booked for the van of tomorrow. You will hear from our driver before lunch."
        if books
        else f"Parcel {parcel} left our house this morning. It will be at your door before the evening."
    )
    return Exchange(LEAD_MS + number * period_ms, question, answer, parcel, books)


def assistant_of(talk: Talk, tool_url: str) -> dict[str, Any]:
    """Scripted model, position recognizer, stub voice; a turn ends after 200 ms of silence."""
    silence = {f"on{look}Seconds": 0.2 for look in ("Punctuation", "NoPunctuation", "Number")}
    function = {"name": TOOL, "parameters": {"type": "object"}}
    tool = {"type": "function", "function": function, "server": {"url": tool_url}, "messages": []}
    script = {"rules": [*_after_tool(talk.exchanges), *_rules(talk.exchanges)], "otherwise": "I did not get that."}
    return {
        "firstMessageMode": "assistant-waits-for-user",
        "model": {"provider": "vapi", "model": "scripted", "script": script, "tools": [tool]},
        "transcriber": {"provider": "vapi", "model": "position", "labels": talk.labels()},
        "voice": {"provider": "stub", "voiceId": "40"},
        "startSpeakingPlan": {"waitSeconds": 0, "transcriptionEndpointingPlan": silence},
        "silenceTimeoutSeconds": 120,
        "maxDurationSeconds": 1_200,
    }


def _rules(exchanges: Sequence[Exchange]) -> list[dict[str, Any]]:
    return [
        {"when": exchange.question, "call": {"name": TOOL, "arguments": {"parcel": exchange.parcel}}}
        if exchange.books
        else {"when": exchange.question, "say": exchange.answer}
        for exchange in exchanges
    ]


def _after_tool(exchanges: Sequence[Exchange]) -> list[dict[str, Any]]:
    return [
        {"afterTool": TOOL, "failed": False, "when": exchange.question, "say": exchange.answer}
        for exchange in exchanges
        if exchange.books
    ]
