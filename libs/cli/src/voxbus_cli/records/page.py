"""What happened on a call, as a page for a person. Pure."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from voxbus_cli.call.waterfall import picture

_NAMES: Final = {"assistant": "Agent", "user": "Caller", "tool": "Tool", "system": "System"}


def readable(story: Mapping[str, Any]) -> str:
    """For a person, in the order: header, conversation, turns, costs, faults, workers."""
    lines = [f"call {story['call']} of organisation {story['org']}, from {story['source']}", *_header(story), ""]
    lines += [f"{_at(each)}  {_NAMES.get(each['role'], each['role'])}: {_said(each)}" for each in story["messages"]]
    lines += ["", *(line for turn in story["turns"] if "parts" in turn for line in picture(turn))]
    lines += _costs(story["cost"])
    lines += [f"fault {_at(fault)}  {fault['stage']}: {fault['code']}: {fault['detail']}" for fault in story["faults"]]
    moved = {stage: workers for stage, workers in story["workers"].items() if len(workers) > 1}
    lines += [f"{stage} was taken over: {' → '.join(workers)}" for stage, workers in moved.items()]
    return "\n".join(lines)


def _header(story: Mapping[str, Any]) -> list[str]:
    what = [
        story.get("call_type"),
        story.get("transport"),
        story.get("assistant_id") and f"assistant {story['assistant_id']}",
    ]
    moments = [f"{name} {_clock(story[key])}" for name, key in _MOMENTS.items() if key in story]
    lines = [", ".join(filter(None, what)), ", ".join(moments)]
    if "ended_at_ms" in story:
        ran_ms = story["ended_at_ms"] - story.get("started_at_ms", story["ended_at_ms"])
        lines.append(f"ended after {ran_ms / 1000:.1f} s: {story['ended_reason']}")
        lines += [story["ended_message"]] if "ended_message" in story else []
    else:
        lines.append("not over yet")
    if "recording" in story:
        kept = story["recording"]
        lines.append(f"recording of {kept['duration_ms'] / 1000:.1f} s: {', '.join(map(str, kept['files']))}")
    return [line for line in lines if line]


_MOMENTS: Final = {"queued": "queued_at_ms", "answered": "started_at_ms", "ended": "ended_at_ms"}


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(sep=" ", timespec="milliseconds").replace("+00:00", " UTC")


def _at(each: Mapping[str, Any]) -> str:
    return f"{each['at_ms'] / 1000:7.2f} s"


def _said(message: Mapping[str, Any]) -> str:
    if message["role"] == "tool":
        tool = message["tool"]
        came = tool.get("result", tool.get("error", "no answer"))
        took = f" ({tool['duration_ms']} ms)" if "duration_ms" in tool else ""
        return f"{tool['name']}({json.dumps(tool['arguments'], ensure_ascii=False)}) → {came}{took}"
    broken_off = f" — ({message['interrupted'] or 'interrupted'})" if "interrupted" in message else ""
    return f"{message['text']}{broken_off}"


def _costs(cost: Mapping[str, Any]) -> list[str]:
    if not cost:
        return ["no cost was told"]
    lines = [f"cost {_used(row):<58} {row.get('cost')} USD" for row in cost.get("rows", ())]
    version = f" at prices {cost['price_version']}" if cost.get("price_version") else ""
    wasted = (cost.get("breakdown") or {}).get("wasted")
    unheard = f", of which {wasted} for answers nobody got" if wasted is not None else ""
    so_far = "" if cost.get("ended") else " so far"
    return [*lines, f"cost {cost.get('total')} USD{so_far}{version}{unheard}"]


def _used(row: Mapping[str, Any]) -> str:
    """`model openai gpt-4.1 promptTokens=12 completionTokens=3`"""
    named: Sequence[Any] = [row.get("type"), row.get("analysisType"), row.get("provider")]
    parts = [str(each) for each in named if each]
    for key, value in row.items():
        if isinstance(value, Mapping):
            parts += [str(each) for each in value.values() if each and str(each) not in parts]
        elif key not in ("type", "cost", "analysisType", "provider"):
            parts.append(f"{key}={value}")
    return " ".join(parts)
