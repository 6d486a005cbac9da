"""What is said about a tool and when: the assistant's own messages, or the platform's where it has none. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

from voxbus_contracts.tool import RejectionPlan, Tool, ToolCondition, ToolMessage

TOOL_MESSAGE: Final = "tool-message"
"""Source of what is said about a tool: a reply of its own, which the model is told of as heard."""

VOICEMAIL: Final = "voicemail"
"""Type of the tool that leaves a message on an answering machine, and source of that message: it ends the call."""

KEYS: Final = "keys"
"""Source of keys that are pressed: tones, no words."""

_START_LINES: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("Hold on a sec.", "One moment, please.", "Just a second.", "Give me a moment."),
    "de": ("Einen Moment, bitte.", "Eine Sekunde, bitte.", "Ich sehe kurz nach."),
    "fr": ("Un instant, s'il vous plaît.", "Une seconde, je regarde."),
    "es": ("Un momento, por favor.", "Un segundo, lo estoy mirando."),
}
_STILL_LINES: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("I am still working on it.", "This takes a few more seconds.", "Thank you for your patience, almost there."),
    "de": ("Ich bin noch dabei.", "Es dauert noch ein paar Sekunden.", "Danke für Ihre Geduld."),
    "fr": ("J'y travaille encore.", "Encore quelques secondes.", "Merci de votre patience."),
    "es": ("Sigo trabajando en ello.", "Unos segundos más, por favor.", "Gracias por su paciencia."),
}


@dataclass(frozen=True, slots=True)
class ToolLine:
    """Words with the arguments they are meant for; `after_ms` only of those that are said while the tool is slow.

    `is_hint`: told to the model, which answers, instead of to the caller.
    """

    text: str
    conditions: tuple[ToolCondition, ...] = ()
    after_ms: int = 0
    is_blocking: bool = False
    is_hint: bool = False
    ends_call: bool = False

    def fits(self, arguments: Mapping[str, Any]) -> bool:
        return all(holds(each, arguments) for each in self.conditions)


@dataclass(frozen=True, slots=True)
class ToolPlan:
    """All lines of one tool. Where `is_own`, the platform announces nothing; where `is_silent`, it says nothing."""

    kind: str = "function"
    """The tool's type."""
    rejection: RejectionPlan | None = None
    is_own: bool = False
    is_silent: bool = False
    start: tuple[ToolLine, ...] = ()
    late: tuple[ToolLine, ...] = ()
    complete: tuple[ToolLine, ...] = ()
    failed: tuple[ToolLine, ...] = ()


PLATFORMS_OWN: Final = ToolPlan()


def tool_plan(tool: Tool, language: str) -> ToolPlan:
    """Messages without words in any language count as not there."""
    if tool.messages is None:
        return ToolPlan(tool.type, tool.rejection_plan)
    lines = {
        kind: _lines(tool.messages, kind, language) for kind in ("start", "response-delayed", "complete", "failed")
    }
    return ToolPlan(
        kind=tool.type,
        rejection=tool.rejection_plan,
        is_own=any(message.type == "request-start" for message in tool.messages) or not tool.messages,
        is_silent=not any(lines.values()),
        start=lines["start"],
        late=tuple(line for line in lines["response-delayed"] if line.after_ms),
        complete=lines["complete"],
        failed=lines["failed"],
    )


def _lines(messages: Sequence[ToolMessage], kind: str, language: str) -> tuple[ToolLine, ...]:
    return tuple(
        ToolLine(
            text,
            message.conditions,
            round(message.timing_milliseconds or 0),
            message.blocking,
            message.role == "system",
            message.end_call_after_spoken_enabled,
        )
        for message in messages
        if message.type == f"request-{kind}" and (text := message.text_in(language).strip())
    )


def one_of(lines: Iterable[ToolLine], arguments: Mapping[str, Any], key: str) -> ToolLine | None:
    """Of those whose conditions hold; where several have conditions, or none has, `key` chooses as by lot."""
    fitting = [line for line in lines if line.fits(arguments)]
    fitting = [line for line in fitting if line.conditions] or fitting
    return fitting[crc32(key.encode()) % len(fitting)] if fitting else None


def holds(condition: ToolCondition, arguments: Mapping[str, Any]) -> bool:
    """Numbers are compared as numbers, everything else as text; an argument that is not there differs from all."""
    actual, wanted = arguments.get(condition.param), condition.value
    if actual is None:
        return condition.operator == "neq" and wanted is not None
    numbers = _number(actual), _number(wanted)
    left, right = numbers if None not in numbers else (str(actual), str(wanted))
    if isinstance(actual, bool) or isinstance(wanted, bool):
        left, right = str(actual).lower(), str(wanted).lower()
    compared = (left > right) - (left < right)  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
    return {
        "eq": compared == 0,
        "neq": compared != 0,
        "gt": compared > 0,
        "gte": compared >= 0,
        "lt": compared < 0,
        "lte": compared <= 0,
    }.get(condition.operator, False)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def start_line(language: str, key: str) -> str:
    """The platform's, for a tool without messages of its own."""
    lines = _START_LINES.get(language.partition("-")[0].lower(), _START_LINES["en"])
    return lines[crc32(key.encode()) % len(lines)]


def still_line(language: str, number: int) -> str:
    """The platform's, the `number`-th time it is said, from 0."""
    lines = _STILL_LINES.get(language.partition("-")[0].lower(), _STILL_LINES["en"])
    return lines[number % len(lines)]
