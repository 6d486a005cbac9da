"""`/call/{id}/listen`: the sound of a call over a WebSocket, for as many as have its address."""

import asyncio
import contextlib
import json
from typing import Any, Final

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from voxbus_control_api.errors import ApiError, Conflict
from voxbus_control_api.http.answers import problem
from voxbus_control_api.http.api import api_of
from voxbus_control_api.http.monitor_access import LISTEN, reached_call
from voxbus_control_api.live.sound import Ear, LiveSound
from voxbus_control_api.live.stereo import START
from voxbus_runtime.tasks import end

_AGAIN: Final = 1012
"""This server stops: come again."""
_OVER: Final = 1000

router = APIRouter(prefix="/call", tags=["calls"])


@router.websocket("/{call_id}/listen")
async def listen_to_call(websocket: WebSocket, call_id: str) -> None:
    """First a JSON message with the format, then stereo PCM until the call is over; what is sent here is ignored."""
    api = api_of(websocket)
    try:
        call = await reached_call(websocket, api, call_id, LISTEN)
        if call.has_ended:
            raise Conflict(f"call {call_id} has ended")
        async with api.sound.listening(call.ref) as ear:
            await websocket.accept()
            await _heard(websocket, ear, api.sound)
    except ApiError as refused:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await websocket.send_denial_response(problem(refused.status, refused.title, str(refused)))


async def _heard(websocket: WebSocket, ear: Ear, sound: LiveSound) -> None:
    """Until the call is over or the listener gone."""
    reading = asyncio.ensure_future(_ignore_what_comes(websocket, ear))
    try:
        await websocket.send_text(json.dumps(START))
        while heard := await ear.next():
            await websocket.send_bytes(heard)
        if not reading.done():
            await websocket.close(_AGAIN if sound.is_stopped else _OVER)
    except (WebSocketDisconnect, RuntimeError):
        pass
    finally:
        await end(reading)


async def _ignore_what_comes(websocket: WebSocket, ear: Ear) -> None:
    """Notices that the listener has gone, also while nothing sounds."""
    message: Any = {}
    while message.get("type") != "websocket.disconnect":
        message = await websocket.receive()
    ear.end()
