"""A real HTTP server that speaks OpenAI's chat completions as it is told: well, slowly, brokenly, or not at all.

Waits are ended by the test (`go_on`), never by time.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self


class _Hold:
    """A place in an answer at which the server waits for `go_on`."""


HOLD: Final = _Hold()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server does with one request: head, then pieces, each its own HTTP chunk, in order.

    A HOLD before the first bytes holds the head back too. `is_cut`: the connection breaks where the body should end.
    """

    pieces: tuple[bytes | _Hold, ...]
    status: int = 200
    content_type: str = "text/event-stream"
    is_cut: bool = False
    location: str = ""

    def in_pieces_of(self, size_bytes: int) -> "Answer":
        """The same bytes, cut elsewhere."""
        body = b"".join(piece for piece in self.pieces if isinstance(piece, bytes))
        return replace(self, pieces=tuple(body[at : at + size_bytes] for at in range(0, len(body), size_bytes)))


def event(payload: dict[str, Any] | str, line_end: str = "\n") -> bytes:
    """One server-sent event."""
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    return f"data: {text}{line_end}{line_end}".encode()


def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    """One chat.completion.chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "test", "choices": [choice]}


def usage_chunk(prompt: int = 11, completion: int = 7, cached: int = 0) -> dict[str, Any]:
    """The last chunk of a stream whose usage was asked for."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {**chunk({}), "choices": [], "usage": {**usage, "prompt_tokens_details": {"cached_tokens": cached}}}


def words_of(text: str) -> list[str]:
    """`text` in deltas: words with the space before them."""
    words = text.split(" ")
    return [word if at == 0 else f" {word}" for at, word in enumerate(words)] if text else []


def call_deltas(name: str, arguments: dict[str, Any] | str, call_id: str = "call_1", index: int = 0) -> list[Any]:
    """A tool call as OpenAI streams it: its head, then the arguments a few characters at a time."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    head = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    rest = [{"index": index, "function": {"arguments": text[at : at + 3]}} for at in range(0, len(text), 3)]
    return [{"tool_calls": [call]} for call in (head, *rest)]


def streamed(text: str = "", calls: Iterable[dict[str, Any]] = (), line_end: str = "\n") -> Answer:
    """Text word by word, then tool calls (`call_deltas`), usage, `[DONE]`."""
    calls = list(calls)
    deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in words_of(text)), *calls]
    events = [*(chunk(delta) for delta in deltas), chunk({}, "tool_calls" if calls else "stop"), usage_chunk()]
    return Answer((*(event(one, line_end) for one in events), event("[DONE]", line_end)))


def whole(text: str, calls: list[dict[str, Any]] | None = None) -> Answer:
    """One JSON answer, as from a server that cannot stream."""
    message = {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
    completion = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7},
    }
    return Answer((json.dumps(completion, indent=2).encode(),), content_type="application/json")


def failing(status: int, code: str = "", message: str = "") -> Answer:
    """An error in OpenAI's shape."""
    error = {"error": {"message": message, "type": "test_error", "code": code or None}}
    return Answer((json.dumps(error).encode(),), status, "application/json")


def silent() -> Answer:
    """Takes the request and says nothing until `go_on`."""
    return Answer((HOLD, *streamed("Late.").pieces))


def stalling(text: str) -> Answer:
    """Says `text` and then nothing until `go_on`."""
    *spoken, ending, usage, done = streamed(text).pieces
    return Answer((*spoken, HOLD, ending, usage, done))


def cut_off(text: str) -> Answer:
    """Breaks the connection after `text`."""
    return Answer(streamed(text).pieces[:-3], is_cut=True)


@dataclass(frozen=True, slots=True)
class Received:
    """A request the server got; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    content: bytes = b""
    """The body as it came."""


@dataclass(eq=False)
class OpenAiServer:
    """Use as an async context manager; listens on a free port of 127.0.0.1.

    An answer is that of the last message's words (`answer_to`), else the next one queued (`answer_next`), else 500.
    """

    received: list[Received] = field(default_factory=list[Received])
    connections: int = 0
    """Connections accepted so far."""
    has_aborted: asyncio.Event = field(default_factory=asyncio.Event)
    """A client went away in the middle of an answer."""
    _by_words: dict[str, Answer] = field(default_factory=dict[str, Answer])
    _queued: deque[Answer] = field(default_factory=deque[Answer])
    _may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    _open: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _listener: asyncio.Server | None = None

    def answer_to(self, words: str, answer: Answer) -> None:
        self._by_words[words] = answer

    def answer_next(self, *answers: Answer) -> None:
        self._queued.extend(answers)

    def go_on(self) -> None:
        """Ends all waits, those to come too."""
        self._may_go_on.set()

    @property
    def base_url(self) -> str:
        assert self._listener is not None
        return f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._listener is not None
        self._listener.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._listener.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _read_request(reader):
                self.received.append(request)
                await self._say(self._answer_for(request), reader, writer)
        except ConnectionError:
            self.has_aborted.set()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _answer_for(self, request: Received) -> Answer:
        messages = request.body.get("messages") or [{}]
        by_words = self._by_words.get(messages[-1].get("content") or "")
        if by_words:
            return by_words
        return self._queued.popleft() if self._queued else failing(500, "nothing-queued")

    async def _say(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Raises ConnectionError when the client goes away, or when the answer is cut."""
        fields = (f"Content-Type: {answer.content_type}", "Transfer-Encoding: chunked")
        location = (f"Location: {answer.location}",) if answer.location else ()
        head = "\r\n".join((f"HTTP/1.1 {answer.status} Test", *fields, *location, "", "")).encode()
        for piece in answer.pieces:
            if isinstance(piece, _Hold):
                await self._hold(reader)
                continue
            writer.write(head + f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            head = b""
            await writer.drain()
        if answer.is_cut:
            raise ConnectionResetError("cut on purpose")
        writer.write(head + b"0\r\n\r\n")
        await writer.drain()

    async def _hold(self, reader: asyncio.StreamReader) -> None:
        """Waits for `go_on`; raises ConnectionError when the client goes away meanwhile."""
        going_on = asyncio.ensure_future(self._may_go_on.wait())
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({going_on, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                raise ConnectionResetError("the client went away")
        finally:
            going_on.cancel()
            gone.cancel()
            await asyncio.gather(going_on, gone, return_exceptions=True)


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    """The next request of a connection, None when the client has closed it."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(first.split(" ")[1], headers, json.loads(body or b"{}"), body)
