"""A call's log → what happened on it. Pure.

What the assistant said is what was heard of it; what the caller said is what its turns were committed with.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from voxbus_cli.follow.lines import SeenMessage
from voxbus_runtime.fence import Fence

Json = dict[str, Any]

_TURN: Final = ("turn", "v2v_ms", "parts", "answer_ms", "answer_parts")


@dataclass(slots=True)
class _Told:
    """What is known so far, from one event after the other; times in ms since the epoch until the end."""

    header: Json = field(default_factory=Json)
    origin_ms: int | None = None
    transcripts: dict[int, int] = field(default_factory=dict[int, int])
    """By number: where it starts on the audio clock, ms."""
    replies: dict[int, int] = field(default_factory=dict[int, int])
    tools: dict[str, Json] = field(default_factory=dict[str, Json])
    messages: list[Json] = field(default_factory=list[Json])
    turns: list[Json] = field(default_factory=list[Json])
    faults: list[Json] = field(default_factory=list[Json])
    cost: Json = field(default_factory=Json)
    claims: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


def story_of(messages: Iterable[SeenMessage]) -> Json:
    """`messages` in stream order. Keys: header's, then messages, turns, tools, faults, cost, workers."""
    told = _Told()
    counted = 0
    for message in _valid(messages):
        counted += 1
        step = _STEPS.get(message.name)
        if step is not None:
            step(told, message.fields, message)
    first = min((each["at_ms"] for each in told.messages), default=0)
    origin_ms = told.origin_ms if told.origin_ms is not None else told.header.get("queued_at_ms", first)
    for each in (*told.messages, *told.faults):
        each["at_ms"] -= origin_ms
    return {
        **told.header,
        "events": counted,
        "messages": sorted(told.messages, key=lambda each: each["at_ms"]),
        "turns": told.turns,
        "tools": list(told.tools.values()),
        "faults": told.faults,
        "cost": told.cost,
        "workers": told.claims,
    }


def _valid(messages: Iterable[SeenMessage]) -> Iterable[SeenMessage]:
    """Events alone, none twice, none of a worker that had lost the call."""
    fence, seen = Fence(), set[str]()
    for message in messages:
        envelope = message.envelope
        if message.kind != "event" or envelope.event_id in seen:
            continue
        if envelope.number and not fence.accepts(envelope.stage, envelope.epoch):
            continue
        seen.add(envelope.event_id)
        yield message


def _queued(told: _Told, fields: Mapping[str, Any], message: SeenMessage) -> None:
    told.header |= {key: fields[key] for key in ("call_type", "transport", "assistant_id") if fields.get(key)}
    told.header.setdefault("queued_at_ms", message.envelope.occurred_at_ms)


def _attached(told: _Told, fields: Mapping[str, Any], message: SeenMessage) -> None:
    if told.origin_ms is None:
        told.origin_ms = message.envelope.occurred_at_ms - int(fields.get("pts_ms", 0))


def _started(told: _Told, fields: Mapping[str, Any], message: SeenMessage) -> None:
    told.origin_ms = message.envelope.occurred_at_ms - int(fields.get("pts_ms", 0))
    told.header.setdefault("started_at_ms", message.envelope.occurred_at_ms)


def _ended(told: _Told, fields: Mapping[str, Any], message: SeenMessage) -> None:
    if "ended_at_ms" not in told.header:
        told.header |= {"ended_at_ms": message.envelope.occurred_at_ms, "ended_reason": fields.get("reason")}
        told.header |= {"ended_message": fields["message"]} if fields.get("message") else {}


def _transcribed(told: _Told, fields: Mapping[str, Any], _: SeenMessage) -> None:
    told.transcripts[fields.get("transcript_seq", 0)] = int(fields.get("start_pts_ms", 0))


def _committed(told: _Told, fields: Mapping[str, Any], message: SeenMessage) -> None:
    starts = [told.transcripts[seq] for seq in fields.get("transcript_seqs", ()) if seq in told.transcripts]
    pts_ms = min(starts, default=int(fields.get("anchor_pts_ms", 0)))
    origin_ms = told.origin_ms if told.origin_ms is not None else message.envelope.occurred_at_ms - pts_ms
    said = {"role": "user", "text": fields.get("text", ""), "turn": fields.get("turn")}
    told.messages.append({"at_ms": origin_ms + pts_ms, **said})


def _replying(told: _Told, fields: Mapping[str, Any], message: SeenMessage) -> None:
    told.replies.setdefault(fields.get("reply", 0), message.envelope.occurred_at_ms)


def _heard(told: _Told, fields: Mapping[str, Any], message: SeenMessage) -> None:
    if fields.get("heard"):
        at_ms = told.replies.get(fields.get("reply", 0), message.envelope.occurred_at_ms)
        broken_off = {"interrupted": fields.get("reason", "")} if message.name == "reply.interrupted" else {}
        told.messages.append({"at_ms": at_ms, "role": "assistant", "text": fields["heard"], **broken_off})


def _added(told: _Told, fields: Mapping[str, Any], message: SeenMessage) -> None:
    at_ms, role = message.envelope.occurred_at_ms, fields.get("role", "system")
    told.messages.append({"at_ms": at_ms, "role": role, "text": fields.get("content", "")})


def _tool(told: _Told, fields: Mapping[str, Any], message: SeenMessage) -> None:
    asked = {"id": fields.get("tool_call_id"), "name": fields.get("tool_name"), "arguments": fields.get("arguments")}
    told.tools[str(asked["id"])] = asked
    told.messages.append({"at_ms": message.envelope.occurred_at_ms, "role": "tool", "tool": asked})


def _answered(told: _Told, fields: Mapping[str, Any], _: SeenMessage) -> None:
    asked = told.tools.get(str(fields.get("tool_call_id")))
    if asked is not None:
        asked |= {key: fields[key] for key in ("result", "error", "duration_ms") if fields.get(key) is not None}


def _given_up(told: _Told, fields: Mapping[str, Any], _: SeenMessage) -> None:
    asked = told.tools.get(str(fields.get("tool_call_id")))
    if asked is not None:
        asked.setdefault("error", "it was given up: nothing was heard of it within its limit")


def _measured(told: _Told, fields: Mapping[str, Any], _: SeenMessage) -> None:
    told.turns.append({key: fields[key] for key in _TURN if fields.get(key) not in (None, {})})


def _costing(told: _Told, fields: Mapping[str, Any], _: SeenMessage) -> None:
    if fields.get("version", 0) >= told.cost.get("version", 0):
        told.cost = dict(fields)


def _failed(told: _Told, fields: Mapping[str, Any], message: SeenMessage) -> None:
    fault = {"stage": message.envelope.stage, "code": fields.get("code"), "detail": fields.get("detail", "")}
    told.faults.append({"at_ms": message.envelope.occurred_at_ms, **fault})


def _recorded(told: _Told, fields: Mapping[str, Any], _: SeenMessage) -> None:
    files = [file.get("key") for file in fields.get("files", ())]
    told.header["recording"] = {"files": files, "duration_ms": fields.get("duration_ms", 0)}


def _claimed(told: _Told, fields: Mapping[str, Any], _: SeenMessage) -> None:
    told.claims.setdefault(str(fields.get("stage")), []).append(str(fields.get("worker")))


_STEPS: Final = {
    "call.queued": _queued,
    "media.attached": _attached,
    "call.started": _started,
    "call.ended": _ended,
    "transcript.final": _transcribed,
    "turn.committed": _committed,
    "reply.started": _replying,
    "reply.finished": _heard,
    "reply.interrupted": _heard,
    "message.added": _added,
    "tool.requested": _tool,
    "tool.finished": _answered,
    "tool.given-up": _given_up,
    "turn.measured": _measured,
    "cost.updated": _costing,
    "fault.raised": _failed,
    "recording.stored": _recorded,
    "stage.claimed": _claimed,
}
"""What each event adds."""
