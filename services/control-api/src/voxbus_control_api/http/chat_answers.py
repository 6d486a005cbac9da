"""The answer to a chat over HTTP: one body when it is whole, or server-sent events as it is written."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from fastapi.responses import JSONResponse, Response, StreamingResponse

from voxbus_contracts.events import ChatEnded
from voxbus_control_api import metrics
from voxbus_control_api.chats.conversations import Asked, Conversations
from voxbus_control_api.chats.following import failure_of
from voxbus_control_api.chats.lines import text_of
from voxbus_control_api.chats.sse import Wording
from voxbus_control_api.errors import ApiError
from voxbus_control_api.resource_store import Resource

Json = dict[str, Any]

_HEADERS: Final = {"cache-control": "no-cache", "x-accel-buffering": "no"}
_KEEP_ALIVE_S: Final = 15.0
_KEEP_ALIVE: Final = ": still here\n\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """How an answer is worded. `whole`: the finished chat and all that was said in it → the body without `stream`."""

    whole: Callable[[Resource, str], Json]
    wording: Wording | None


async def answered(conversations: Conversations, chat: Resource, asked: Asked, answer: Answer) -> Response:
    """Nothing is sent before there is something to read: what fails until then has its own status."""
    try:
        first = await asked.next()
        if answer.wording is not None and isinstance(first, str):
            events = _events(conversations, chat, asked, answer, first)
            return StreamingResponse(events, 201, _HEADERS, "text/event-stream")
        ended = first if isinstance(first, ChatEnded) else await _end(asked)
        done = await _finished(conversations, chat, ended)
    except BaseException:
        await _close(asked)
        raise
    await _close(asked)
    whole = answer.whole(done, text_of(ended.lines))
    if answer.wording is None:
        return JSONResponse(whole, 201)
    silent = "".join([*answer.wording.begin(), *answer.wording.end(whole, "")])
    return Response(silent, 201, _HEADERS, "text/event-stream")


async def _events(
    conversations: Conversations, chat: Resource, asked: Asked, answer: Answer, first: str
) -> AsyncGenerator[str]:
    wording = answer.wording
    assert wording is not None
    for event in (*wording.begin(), *wording.delta(first)):
        yield event
    try:
        async with aclosing(_patient(asked)) as heard:
            async for item in heard:
                if isinstance(item, ChatEnded):
                    done = await _finished(conversations, chat, item)
                    whole = text_of(item.lines)
                    closing = wording.end(answer.whole(done, whole), whole)
                else:
                    closing = wording.delta(item) if item else iter([_KEEP_ALIVE])
                for event in closing:
                    yield event
    except ApiError as failure:
        for event in wording.failed(failure.status, failure.title, str(failure)):
            yield event
    finally:
        await _close(asked)


async def _patient(asked: Asked) -> AsyncGenerator[str | ChatEnded]:
    """What is heard, up to the end; "" now and then while nothing is."""
    waiting = asyncio.ensure_future(asked.next())
    try:
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=_KEEP_ALIVE_S)
            if not done:
                yield ""
                continue
            item = waiting.result()
            yield item
            if isinstance(item, ChatEnded):
                return
            waiting = asyncio.ensure_future(asked.next())
    finally:
        waiting.cancel()


async def _end(asked: Asked) -> ChatEnded:
    while not isinstance(heard := await asked.next(), ChatEnded):
        pass
    return heard


async def _finished(conversations: Conversations, chat: Resource, ended: ChatEnded) -> Resource:
    """The record with the answer in it; raises what the chat failed with."""
    kept = await conversations.ended(chat.org, chat.id, ended)
    failure = failure_of(ended)
    metrics.CHATS.labels(ended.error or "answered").inc()
    if failure is not None:
        raise failure
    return kept or chat


async def _close(asked: Asked) -> None:
    """Also when the client is gone and everything here is being cancelled."""
    await asyncio.shield(asyncio.ensure_future(asked.close()))
