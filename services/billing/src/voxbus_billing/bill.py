"""What a call used → what it costs, in the public API's words. Pure; amounts are exact, see `money`."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from voxbus_billing.journal import Line
from voxbus_billing.money import plain
from voxbus_billing.prices import ITEMS
from voxbus_contracts.events import CostRow

_MS_PER_MINUTE: Final = 60_000


@dataclass(frozen=True, slots=True)
class Bill:
    """`total` is the exact sum of the rows' costs, dollars."""

    rows: tuple[CostRow, ...]
    breakdown: dict[str, Any]
    total: str


@dataclass(frozen=True, slots=True)
class _Kind:
    """What makes a row of its own."""

    item: str
    provider: str
    model: str
    purpose: str


_Units = Mapping[str, int]


def bill(lines: Iterable[Line]) -> Bill:
    """Rows in the order of `ITEMS`; one per provider, model and purpose."""
    all_lines = tuple(lines)
    units: dict[_Kind, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    amounts: dict[_Kind, int] = defaultdict(int)
    for line in all_lines:
        kind = _Kind(line.use.item, line.use.provider, line.use.model, line.use.purpose)
        units[kind][line.use.unit] += line.use.quantity
        amounts[kind] += line.amount
    kinds = sorted(units, key=lambda kind: ITEMS.index(kind.item))
    rows = tuple(
        CostRow.model_validate(
            {"type": kind.item, "cost": plain(amounts[kind]), **_FIELDS[kind.item](kind, units[kind])}
        )
        for kind in kinds
    )
    total = plain(sum(amounts.values()))
    return Bill(rows, {**_breakdown(all_lines), "total": total}, total)


def minutes(ms: int) -> float:
    """A length, not money."""
    return round(ms / _MS_PER_MINUTE, 4)


def _of_transport(kind: _Kind, units: _Units) -> dict[str, Any]:
    return {"provider": kind.provider, "minutes": minutes(units["ms"])}


def _of_transcriber(kind: _Kind, units: _Units) -> dict[str, Any]:
    return {"transcriber": _named(kind), "minutes": minutes(units["ms"])}


def _of_model(kind: _Kind, units: _Units) -> dict[str, Any]:
    fields = {
        "model": _named(kind),
        "promptTokens": units["prompt_tokens"],
        "completionTokens": units["completion_tokens"],
    }
    told = {"cachedPromptTokens": "cached_prompt_tokens", "reasoningTokens": "reasoning_tokens"}
    return fields | {name: units[unit] for name, unit in told.items() if units.get(unit)}


def _of_voice(kind: _Kind, units: _Units) -> dict[str, Any]:
    return {"voice": _named(kind), "characters": units["characters"]}


def _of_platform(_kind: _Kind, units: _Units) -> dict[str, Any]:
    return {"subType": "normal", "minutes": minutes(units["ms"])}


def _of_analysis(kind: _Kind, units: _Units) -> dict[str, Any]:
    return {"analysisType": kind.purpose or "summary", **_of_model(kind, units)}


def _of_voicemail_detection(kind: _Kind, units: _Units) -> dict[str, Any]:
    return {
        "provider": kind.provider,
        "model": _named(kind),
        "promptTextTokens": units["prompt_tokens"],
        "promptAudioTokens": units["prompt_audio_tokens"],
        "completionTextTokens": units["completion_tokens"],
        "completionAudioTokens": units["completion_audio_tokens"],
    }


def _of_chat(_kind: _Kind, _units: _Units) -> dict[str, Any]:
    return {}


_FIELDS: Final[dict[str, Callable[[_Kind, _Units], dict[str, Any]]]] = {
    "transport": _of_transport,
    "transcriber": _of_transcriber,
    "model": _of_model,
    "voice": _of_voice,
    "vapi": _of_platform,
    "analysis": _of_analysis,
    "knowledge-base": _of_model,
    "voicemail-detection": _of_voicemail_detection,
    "chat": _of_chat,
}


def _named(kind: _Kind) -> dict[str, str]:
    return {"provider": kind.provider, "model": kind.model}


_ALWAYS: Final = {"transport": "transport", "stt": "transcriber", "llm": "model", "tts": "voice", "vapi": "vapi"}
_IF_ANY: Final = {
    "chat": "chat",
    "knowledgeBase": "knowledge-base",
    "voicemailDetection": "voicemail-detection",
}
_COUNTS: Final = {
    "llmPromptTokens": ("model", "prompt_tokens"),
    "llmCompletionTokens": ("model", "completion_tokens"),
    "llmCachedPromptTokens": ("model", "cached_prompt_tokens"),
    "ttsCharacters": ("voice", "characters"),
}
_WASTES: Final = {
    "llmWastedPromptTokens": ("model", "prompt_tokens"),
    "llmWastedCompletionTokens": ("model", "completion_tokens"),
    "ttsWastedCharacters": ("voice", "characters"),
}
"""Ours, not the public API's; there only where there is waste."""


def _breakdown(lines: tuple[Line, ...]) -> dict[str, Any]:
    """`total` = all other amounts but `wasted`, which is part of theirs."""
    by_item: dict[str, int] = defaultdict(int)
    for line in lines:
        by_item[line.use.item] += line.amount
    wasted = tuple(line for line in lines if line.use.wasted)
    return {
        **{name: plain(by_item[item]) for name, item in _ALWAYS.items()},
        **{name: plain(by_item[item]) for name, item in _IF_ANY.items() if item in by_item},
        **{name: _count(lines, item, unit) for name, (item, unit) in _COUNTS.items()},
        **_analyses(lines),
        **{name: count for name, (item, unit) in _WASTES.items() if (count := _count(wasted, item, unit))},
        **({"wasted": plain(sum(line.amount for line in wasted))} if wasted else {}),
    }


def _count(lines: Iterable[Line], item: str, unit: str) -> int:
    return sum(line.use.quantity for line in lines if (line.use.item, line.use.unit) == (item, unit))


_TOKENS: Final = {
    "PromptTokens": "prompt_tokens",
    "CompletionTokens": "completion_tokens",
    "CachedPromptTokens": "cached_prompt_tokens",
}


def _analyses(lines: Iterable[Line]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    of_purpose: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line.use.item == "analysis":
            of_purpose[line.use.purpose or "summary"].append(line)
    for purpose, own in of_purpose.items():
        made[purpose] = plain(sum(line.amount for line in own))
        made |= {f"{purpose}{name}": _count(own, "analysis", unit) for name, unit in _TOKENS.items()}
    return {"analysisCostBreakdown": made} if made else {}
