"""An answer as server-sent events: in the public API's words, and in those of OpenAI's Responses. Pure.

Sources: the web chat widget and the streaming guide of the public API (November 2026), which read
`chat.output[0].content` and nothing else, whichever message the text belongs to; OpenAI API reference, Responses.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, Protocol

Json = dict[str, Any]

DONE: Final = "data: [DONE]\n\n"
_PATH: Final = "chat.output[0].content"


class Wording(Protocol):
    """How a stream is worded."""

    def begin(self) -> Iterator[str]: ...

    def delta(self, text: str) -> Iterator[str]: ...

    def end(self, record: Json, text: str) -> Iterator[str]:
        """`record` is what the same request without `stream` is answered with, `text` all that was said."""
        ...

    def failed(self, status: int, title: str, message: str) -> Iterator[str]: ...


class ChatWording:
    """`{id, sessionId, path, delta}` per piece, an event `end` with the whole chat, `[DONE]`."""

    def __init__(self, chat_id: str, session_id: str | None) -> None:
        self._of: Json = {"id": chat_id, **({"sessionId": session_id} if session_id else {})}

    def begin(self) -> Iterator[str]:
        yield from ()

    def delta(self, text: str) -> Iterator[str]:
        yield event({**self._of, "path": _PATH, "delta": text})

    def end(self, record: Json, text: str) -> Iterator[str]:
        yield event({**self._of, "path": "chat", "chat": record}, "end")
        yield DONE

    def failed(self, status: int, title: str, message: str) -> Iterator[str]:
        yield event({**self._of, "message": message, "error": title, "statusCode": status}, "error")
        yield DONE


class ResponseWording:
    """OpenAI's events, numbered; the deltas also say `path`, as the public API's own guide reads them."""

    def __init__(self, chat_id: str, created_at_s: int, model: str) -> None:
        self._response = response_object(chat_id, created_at_s, model, None)
        self._item_id = message_id(chat_id)
        self._count = -1

    def begin(self) -> Iterator[str]:
        started = {**self._response, "status": "in_progress"}
        item = {**_message(self._item_id, ""), "status": "in_progress", "content": []}
        yield self._event("response.created", {"response": started})
        yield self._event("response.in_progress", {"response": started})
        yield self._event("response.output_item.added", {"output_index": 0, "item": item})
        yield self._event("response.content_part.added", {**self._place(), "part": _text_part("")})

    def delta(self, text: str) -> Iterator[str]:
        yield self._event("response.output_text.delta", {**self._place(), "delta": text, "path": _PATH})

    def end(self, record: Json, text: str) -> Iterator[str]:
        item = _message(self._item_id, text)
        yield self._event("response.output_text.done", {**self._place(), "text": text})
        yield self._event("response.content_part.done", {**self._place(), "part": _text_part(text)})
        yield self._event("response.output_item.done", {"output_index": 0, "item": item})
        yield self._event("response.completed", {"response": record})

    def failed(self, status: int, title: str, message: str) -> Iterator[str]:
        code = title.lower().replace(" ", "_")
        yield self._event("error", {"code": code, "message": message, "param": None, "statusCode": status})

    def _place(self) -> Json:
        return {"item_id": self._item_id, "output_index": 0, "content_index": 0}

    def _event(self, kind: str, fields: Json) -> str:
        self._count += 1
        return event({"type": kind, "sequence_number": self._count, **fields}, kind)


def response_object(chat_id: str, created_at_s: int, model: str, text: str | None) -> Json:
    """OpenAI's Response; without output while there is none."""
    return {
        "id": chat_id,
        "object": "response",
        "created_at": created_at_s,
        "status": "completed",
        "error": None,
        "model": model,
        "output": [] if text is None else [_message(message_id(chat_id), text)],
    }


def message_id(chat_id: str) -> str:
    return f"msg_{chat_id.replace('-', '')}"


def event(payload: Json, kind: str = "") -> str:
    """One event; without `kind` it is a `message`."""
    head = f"event: {kind}\n" if kind else ""
    return f"{head}data: {json.dumps(payload, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _message(item_id: str, text: str) -> Json:
    content = [_text_part(text)]
    return {"id": item_id, "type": "message", "role": "assistant", "status": "completed", "content": content}


def _text_part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": []}
