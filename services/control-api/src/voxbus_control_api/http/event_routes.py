"""`/call/{id}/events` and `/event`: what happens, as server-sent events."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from voxbus_control_api.errors import BadRequest
from voxbus_control_api.http.api import Api, api_for, api_of
from voxbus_control_api.http.call_answers import found_call
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.live.event_stream import Client, Told, call_events, org_events
from voxbus_control_api.live.lines import Wanted

Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]
_HEADERS: Final = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}
_STREAM: Final[dict[str, Any]] = {
    "response_class": StreamingResponse,
    "responses": {
        200: {
            "description": "Events, each with its id; a comment now and then while nothing happens",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
}
_CALL_STREAM: Final[dict[str, Any]] = {
    **_STREAM,
    "responses": {**_STREAM["responses"], 204: {"description": "The call is over and all of it has been sent"}},
}

router = APIRouter(tags=["events"])


class EventStreamResponse(StreamingResponse):
    """Sends what is told; whatever happens to the client, its listener goes."""

    def __init__(self, told: Told) -> None:
        super().__init__(told.texts, headers=_HEADERS, media_type="text/event-stream")
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._close()))

    async def _close(self) -> None:
        await self._told.texts.aclose()
        await self._told.close()


async def client_of(
    request: Request,
    last_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="id of the last event that arrived; those after it come")
    ] = None,
    last_id_asked: Annotated[
        str | None, Query(alias="lastEventId", description="the same, for who can set no header")
    ] = None,
    types: Annotated[str, Query(description="only these, commas between them: `turn.committed,transcript.*`")] = "",
) -> Client:
    """Raises BadRequest."""
    api, last = api_of(request), last_id or last_id_asked

    async def is_welcome() -> bool:
        secret = request.headers["authorization"].partition(" ")[2].strip()
        return await api.keys.by_secret(secret, api.now_ms()) is not None

    if last and not (last.isascii() and last.isdigit() and len(last) < 19):
        raise BadRequest("Last-Event-ID must be the id of an event, which is a number")
    return Client(Wanted(types), int(last) if last else None, is_welcome, api.now_ms)


Asked = Annotated[Client, Depends(client_of)]


@router.get("/call/{call_id}/events", **_CALL_STREAM)
async def get_call_events(call_id: str, org: Org, api: Services, client: Asked) -> Response:
    """The call's events from its beginning, then as they happen; the stream ends with the call.

    Who comes back with `Last-Event-ID` misses nothing and gets nothing twice. Of private calls no words are told.
    """
    call = await found_call(api, org, call_id)
    told = await call_events(api.live, call.ref, client, wordless=call.has_ended and not call.is_logged)
    return Response(status_code=204) if told is None else EventStreamResponse(told)


@router.get("/event", **_STREAM)
async def get_events(org: Org, api: Services, client: Asked) -> Response:
    """Events of all calls and chats of the organisation, from now on, or from after `Last-Event-ID`.

    Events are kept for a day: who was away for longer is told by an event `events.lost` first.
    """
    return EventStreamResponse(await org_events(api.live, org, client))
