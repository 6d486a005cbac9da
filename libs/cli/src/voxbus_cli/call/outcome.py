"""What came of a call, from the API's object: for a program and for a person. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from voxbus_cli.call.waterfall import picture

_SPEAKERS: Final = {"bot": "assistant"}
"""The API calls the assistant's words a bot's."""
_NAMES: Final = {"assistant": "Agent", "user": "Caller", "tool_calls": "Tool", "tool_call_result": "Result"}
_TURN: Final = ("turn", "v2v_ms", "parts", "answer_ms", "answer_parts")
_TIMES: Final = {
    "time": "time",
    "endTime": "end_time",
    "secondsFromStart": "seconds_from_start",
    "duration": "duration",
}


def outcome_of(call: Mapping[str, Any]) -> dict[str, Any]:
    """`GET /call/{id}` → call_id, messages, turns, ended_reason, cost."""
    return {
        "call_id": call.get("id"),
        "messages": [_message(message) for message in _list(call, "messages") if message.get("role") != "system"],
        "turns": [{key: turn[key] for key in _TURN if key in turn} for turn in _turns(call)],
        "tools": _list(_metrics(call), "voxbusTools"),
        "ended_reason": call.get("endedReason"),
        "cost": call.get("cost"),
    }


def has_failed(outcome: Mapping[str, Any]) -> bool:
    """Whether the call did not end, or ended by a fault; `endedReason`s of faults say so."""
    reason = str(outcome["ended_reason"] or "error")
    return "error" in reason or "fault" in reason


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    role = str(message.get("role", ""))
    text = message.get("message") or message.get("content") or message.get("result") or ""
    out: dict[str, Any] = {"role": _SPEAKERS.get(role, role), "text": text}
    out |= {ours: message[theirs] for theirs, ours in _TIMES.items() if theirs in message}
    out |= {key: message[key] for key in ("name", "toolCallId", "toolCalls") if key in message}
    return out


def _turns(call: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [turn for turn in _list(_metrics(call), "voxbusTurns") if all(key in turn for key in _TURN[:3])]


def _metrics(call: Mapping[str, Any]) -> Mapping[str, Any]:
    return (call.get("artifact") or {}).get("performanceMetrics") or {}


def _list(of: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = of.get(key)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, Sequence) else []


def transcript(outcome: Mapping[str, Any]) -> str:
    """For a person: who said what when, how fast the answers came, how it ended and what it cost."""
    lines = [f"call {outcome['call_id']}", ""]
    for message in outcome["messages"]:
        at_s = message.get("seconds_from_start")
        when = f"{at_s:7.2f} s" if isinstance(at_s, int | float) else " " * 9
        lines.append(f"{when}  {_NAMES.get(message['role'], message['role'])}: {_said(message)}")
    lines.append("")
    for turn in outcome["turns"]:
        lines += picture(turn)
    for tool in outcome["tools"]:
        lines.append(f"tool {tool['name']}: {tool['count']} ×, p50 {tool['p50_ms']} ms, p95 {tool['p95_ms']} ms")
    lines.append(f"ended: {outcome['ended_reason']}; cost: {outcome['cost']} USD")
    return "\n".join(lines)


def _said(message: Mapping[str, Any]) -> str:
    calls = message.get("toolCalls")
    if not message["text"] and isinstance(calls, list):
        functions = [call.get("function", call) for call in calls if isinstance(call, Mapping)]
        return ", ".join(f"{function.get('name')}({function.get('arguments')})" for function in functions)
    return str(message["text"])
