"""The messages of a call's record, from its events. Pure.

What the assistant said is what was heard of it: `heard` of reply.finished and reply.interrupted, nothing else.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from voxbus_contracts.events import (
    CallStarted,
    MediaAttached,
    ReplyFinished,
    ReplyInterrupted,
    ReplyStarted,
    ToolFinished,
    ToolRequested,
    TranscriptFinal,
    TurnCommitted,
    TurnMeasured,
)
from voxbus_control_api.past_events import PastEvent

Json = dict[str, Any]

_SPEAKERS: Final = {"bot": "AI", "user": "User"}


@dataclass(slots=True)
class _Clock:
    """The audio clock on the wall: pts 0 was at `origin_ms`."""

    origin_ms: int

    def span(self, start_pts_ms: float, end_pts_ms: float) -> Json:
        """Times of a message, as the public API gives them: epoch ms, seconds from the start, duration in ms."""
        start, end = round(min(start_pts_ms, end_pts_ms)), round(end_pts_ms)
        return {
            "time": self.origin_ms + start,
            "endTime": self.origin_ms + end,
            "secondsFromStart": round(start / 1000, 3),
            "duration": end - start,
        }

    def at(self, wall_ms: int) -> Json:
        return {"time": wall_ms, "secondsFromStart": round(max(0, wall_ms - self.origin_ms) / 1000, 3)}


@dataclass(slots=True)
class _Seen:
    """What later messages need to know of earlier events."""

    transcripts: dict[int, TranscriptFinal] = field(default_factory=dict[int, TranscriptFinal])
    replies_started_ms: dict[int, int] = field(default_factory=dict[int, int])
    answer_pts_ms: dict[int, float] = field(default_factory=dict[int, float])
    """By turn: when its answer began to sound."""


def messages(events: Sequence[PastEvent], system_prompts: Sequence[str], created_at_ms: int) -> list[Json]:
    """`system`, `user`, `bot`, `tool_calls`, `tool_call_result`, by the time each began. `events` are in order."""
    clock = _Clock(_origin_ms(events, created_at_ms))
    seen = _look_ahead(events)
    opening = [{"role": "system", "message": prompt, **clock.span(0, 0)} for prompt in system_prompts]
    said = [message for event in events if (message := _message(event, seen, clock))]
    return opening + sorted(said, key=lambda message: message["time"])


def transcript(of: Sequence[Json]) -> str:
    """`AI: …` and `User: …`, a line each."""
    lines = [f"{_SPEAKERS[each['role']]}: {each['message']}\n" for each in of if each["role"] in _SPEAKERS]
    return "".join(lines)


def openai_formatted(of: Sequence[Json]) -> list[Json]:
    """The same conversation as chat messages."""
    return [_as_chat(each) for each in of]


def _as_chat(message: Json) -> Json:
    match message["role"]:
        case "tool_calls":
            return {"role": "assistant", "tool_calls": message["toolCalls"]}
        case "tool_call_result":
            return {"role": "tool", "tool_call_id": message["toolCallId"], "content": message["result"]}
        case "bot":
            return {"role": "assistant", "content": message["message"]}
        case role:
            return {"role": role, "content": message["message"]}


def _origin_ms(events: Sequence[PastEvent], created_at_ms: int) -> int:
    """By the call's start, else by its first transport, else by its creation."""
    for kind in (CallStarted, MediaAttached):
        for event in events:
            if isinstance(event.message, kind):
                return event.occurred_at_ms - event.message.pts_ms
    return created_at_ms


def _look_ahead(events: Sequence[PastEvent]) -> _Seen:
    seen = _Seen()
    anchors: dict[int, int] = {}
    for event in events:
        match event.message:
            case TranscriptFinal() as final:
                seen.transcripts[final.transcript_seq] = final
            case TurnCommitted() as turn:
                anchors[turn.turn] = turn.anchor_pts_ms
            case ReplyStarted() as reply:
                seen.replies_started_ms.setdefault(reply.reply, event.occurred_at_ms)
            case TurnMeasured() as measured if measured.turn in anchors:
                seen.answer_pts_ms[measured.turn] = anchors[measured.turn] + measured.v2v_ms
            case _:
                pass
    return seen


def _message(event: PastEvent, seen: _Seen, clock: _Clock) -> Json | None:
    match event.message:
        case TurnCommitted() as turn:
            heard = [seen.transcripts[seq] for seq in turn.transcript_seqs if seq in seen.transcripts]
            start = min((final.start_pts_ms for final in heard), default=turn.anchor_pts_ms)
            return {"role": "user", "message": turn.text, **clock.span(start, turn.anchor_pts_ms)}
        case ReplyFinished() | ReplyInterrupted() as reply if reply.heard:
            start = _began(reply, event, seen, clock)
            return {"role": "bot", "message": reply.heard, **clock.span(start, reply.pts_ms)}
        case ToolRequested() as tool:
            return _tool_calls(tool, clock.at(event.occurred_at_ms))
        case ToolFinished() as tool:
            result = tool.result if tool.result is not None else tool.error or ""
            ids = {"toolCallId": tool.tool_call_id, "name": tool.tool_name}
            return {"role": "tool_call_result", **ids, "result": result, **clock.at(event.occurred_at_ms)}
        case _:
            return None


def _began(reply: ReplyFinished | ReplyInterrupted, event: PastEvent, seen: _Seen, clock: _Clock) -> float:
    """The first heard reply to a turn began when the turn's latency was over; others when they were started."""
    if reply.turn in seen.answer_pts_ms:
        return seen.answer_pts_ms.pop(reply.turn)
    return seen.replies_started_ms.get(reply.reply, event.occurred_at_ms) - clock.origin_ms


def _tool_calls(tool: ToolRequested, times: Json) -> Json:
    function = {"name": tool.tool_name, "arguments": json.dumps(tool.arguments, ensure_ascii=False)}
    call = {"id": tool.tool_call_id, "type": "function", "function": function}
    return {"role": "tool_calls", "toolCalls": [call], "message": "", **times}
