"""Chats and sessions as they are kept and as they are shown. Pure.

A body has the fields that are shown, and under names that begin with `_` what only the server needs: the conversation
to the letter (`_lines`), the assistant with its variables filled in (`_assistant`), what the bus has told.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from voxbus_contracts.events import ChatEnded, ChatLine, CostUpdated
from voxbus_control_api.chats import lines as chat_lines
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.resource_store import Resource
from voxbus_control_api.secret_names import without_number_secrets

Json = dict[str, Any]

CHAT: Final = "chat"
SESSION: Final = "session"

_OURS: Final = frozenset({"id", "orgId", "createdAt", "updatedAt", "messages", "output", "cost", "costs", "artifact"})
_MS_PER_S: Final = 1_000
MOST_BYTES: Final = 700_000
"""Of a conversation: it travels as one message of the bus, which takes 1 MiB with the answer added."""


def public(resource: Resource) -> Json:
    """As the API gives it."""
    shown = resource.shown()
    return {name: value for name, value in shown.items() if not name.startswith("_")}


def posted(body: Json) -> Json:
    """What of a request's body is echoed."""
    plain = without_number_secrets(body)
    return {name: value for name, value in plain.items() if name not in _OURS and not name.startswith("_")}


# --- chats ---


def new_chat(body: Json, assistant: Json, history: Sequence[ChatLine], written: Sequence[ChatLine]) -> Json:
    """`history`: the conversation before it. Raises BadRequest when both together are too long."""
    lines = (*history, *written)
    if sum(len(line.model_dump_json()) for line in lines) > MOST_BYTES:
        raise BadRequest(f"input: the conversation must not be longer than {MOST_BYTES} bytes")
    return {
        **posted(body),
        "messages": chat_lines.shown(lines),
        "output": [],
        "cost": 0,
        "costs": [],
        "_lines": chat_lines.stored(lines),
        "_history": len(history),
        "_assistant": assistant,
    }


def ended_chat(chat: Resource, ended: ChatEnded, at_ms: int) -> Resource:
    """With its answer; an answer it has already stays."""
    if is_over(chat):
        return chat
    body = {**chat.body, "output": chat_lines.shown(ended.lines), "_output": chat_lines.stored(ended.lines)}
    if ended.error:
        body["_error"] = ended.error
    return replace(chat, body=body, updated_at_ms=max(at_ms, chat.updated_at_ms))


def added_lines(chat: Resource) -> tuple[ChatLine, ...]:
    """What was written in it and answered; nothing of a chat that failed."""
    if not is_over(chat) or "_error" in chat.body:
        return ()
    return chat_lines.restored([*chat.body["_lines"][chat.body["_history"] :], *chat.body["_output"]])


def is_over(chat: Resource) -> bool:
    return "_output" in chat.body


def conversation_of(chat: Resource) -> tuple[ChatLine, ...]:
    """What was said up to its end, for the chat that goes on from it. Raises BadRequest for one without an answer."""
    if not is_over(chat) or "_error" in chat.body:
        raise BadRequest(f"previousChatId: the chat {chat.id} has not been answered")
    return chat_lines.restored([*chat.body["_lines"], *chat.body["_output"]])


def priced(resource: Resource, chat_id: str, cost: CostUpdated, at_ms: int) -> Resource:
    """A chat, or the session it belongs to, with what the chat costs; an older version changes nothing."""
    known: Json = resource.body.get("_costs", {})
    if known.get(chat_id, {}).get("version", 0) >= cost.version:
        return resource
    rows = [{**row.model_dump(), "cost": str(row.cost)} for row in cost.rows]
    costs: Json = {**known, chat_id: {"version": cost.version, "total": str(cost.total), "rows": rows}}
    total = sum((Decimal(each["total"]) for each in costs.values()), Decimal(0))
    shown = [_numbered(row) for row in _merged(row for each in costs.values() for row in each["rows"])]
    if resource.kind == SESSION:
        shown = [*(row for row in shown if row["type"] != "chat"), _session_row(shown)]
    body = {**resource.body, "_costs": costs, "costs": shown, "cost": number(total)}
    return replace(resource, body=body, updated_at_ms=max(at_ms, resource.updated_at_ms))


def number(amount: Decimal) -> float | int:
    """JSON has no decimals: amounts become numbers only here, on their way out."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _session_row(rows: Iterable[Json]) -> Json:
    """The platform's part of a session is that of its chats."""
    return {"type": "session", "cost": sum(row["cost"] for row in rows if row["type"] == "chat")}


def _merged(rows: Iterable[Json]) -> list[Json]:
    """Rows of the same thing added up."""
    merged: dict[str, Json] = {}
    for row in rows:
        key = f"{row['type']} {row.get('model')}"
        there = merged.get(key)
        merged[key] = row if there is None else _sum(there, row)
    return list(merged.values())


def _sum(one: Json, other: Json) -> Json:
    added = {
        name: one.get(name, 0) + value
        for name, value in other.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return {**other, **one, **added, "cost": str(Decimal(one["cost"]) + Decimal(other["cost"]))}


def _numbered(row: Json) -> Json:
    return {**row, "cost": number(Decimal(row["cost"]))}


# --- sessions ---


def new_session(body: Json, assistant: Json, variables: Json, expiration_s: float, status: str) -> Json:
    """Empty; `assistant` with its variables filled in, for good."""
    metadata = {"metadata": {**body.get("metadata", {}), "variableValues": variables}} if variables else {}
    return {
        **posted(body),
        **metadata,
        "status": status,
        "expirationSeconds": expiration_s,
        "messages": [],
        "cost": 0,
        "costs": [],
        "_lines": [],
        "_assistant": assistant,
        "_chats": [],
    }


def with_lines(
    session: Resource, lines: Sequence[ChatLine], now_ms: int, as_posted: Sequence[Json] | None = None
) -> Resource:
    """The session with this conversation in place of its own; messages that were posted are shown as they were."""
    messages = chat_lines.shown(lines) if as_posted is None else list(as_posted)
    body = {**session.body, "messages": messages, "_lines": chat_lines.stored(lines)}
    return replace(session, body=body, updated_at_ms=now_ms)


def extended(session: Resource, chat_id: str, added: Sequence[ChatLine], now_ms: int) -> Resource:
    """With what was written and answered in a chat; the same chat adds once."""
    if chat_id in session.body["_chats"]:
        return session
    known = chat_lines.restored(session.body["_lines"])
    messages = [*session.body["messages"], *chat_lines.shown(added)]
    longer = with_lines(session, (*known, *added), now_ms, messages)
    return replace(longer, body={**longer.body, "_chats": [*session.body["_chats"], chat_id]})


def why_closed(session: Resource, now_ms: int) -> str | None:
    """Why nothing can be written in it any more; None while it is open."""
    if session.body.get("status") == "completed":
        return f"sessionId: the session {session.id} is completed"
    if now_ms >= session.created_at_ms + session.body["expirationSeconds"] * _MS_PER_S:
        return f"sessionId: the session {session.id} has expired"
    return None
