"""The caller's end of the WebSocket transport: sends a frame when it is due, hears what comes."""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from voxbus_audio import is_quiet
from voxbus_cli.call.api import is_this_machine
from voxbus_cli.call.conduct import Conduct
from voxbus_cli.call.voice import AgentVoice
from voxbus_cli.errors import NotReachable

_HANG_UP: Final = json.dumps({"type": "end-call"})
_CLOSES_WITHIN_S: Final = 5.0
_GOES_ON: Final = (1006, 1011, 1012)
"""Close codes behind which a call waits for its caller: lost, broken, moved to another server."""
_COMES_BACK_WITHIN_S: Final = 9.0
"""Within the resume window (10 s)."""
_TRIES_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class LineReport:
    """How the connection went."""

    lasted_s: float
    why_ended: str


async def converse(url: str, key: str, conduct: Conduct, voice: AgentVoice) -> LineReport:
    """Holds the conversation until the caller hangs up or the server closes. Raises NotReachable naming the URL.

    A line that breaks, or that the server moves, is opened again: the call goes on where it was.
    """
    line: ClientConnection | None = await _connected(url, key)
    began_s = time.monotonic()
    while line is not None:
        async with line:
            await _hold(line, conduct, voice, began_s)
        line = None if conduct.why_hung_up or line.close_code not in _GOES_ON else await _connected_again(url, key)
    return LineReport(time.monotonic() - began_s, conduct.why_hung_up or "the other side hung up")


async def _connected(url: str, key: str) -> ClientConnection:
    try:
        return await connect(
            url,
            additional_headers={"Authorization": f"Bearer {key}"},
            proxy=None if is_this_machine(url) else True,
            compression=None,
            max_size=None,
        )
    except (OSError, InvalidHandshake, InvalidURI, TimeoutError) as wrong:
        raise NotReachable(f"the call's WebSocket at {urlsplit(url).netloc} cannot be opened: {wrong}") from wrong


async def _connected_again(url: str, key: str) -> ClientConnection | None:
    """None when the call cannot be had back any more."""
    until_s = time.monotonic() + _COMES_BACK_WITHIN_S
    while time.monotonic() < until_s:
        with contextlib.suppress(NotReachable):
            return await _connected(url, key)
        await asyncio.sleep(_TRIES_EVERY_S)
    return None


async def _hold(line: ClientConnection, conduct: Conduct, voice: AgentVoice, began_s: float) -> None:
    """One connection, to its end."""
    hearing = asyncio.create_task(_hear(line, voice, began_s))
    try:
        await _speak(line, conduct, began_s)
        async with asyncio.timeout(_CLOSES_WITHIN_S):
            await asyncio.shield(hearing)
    except TimeoutError:
        pass  # the server keeps the line open after an end-call; we do not
    finally:
        hearing.cancel()


async def _speak(line: ClientConnection, conduct: Conduct, began_s: float) -> None:
    due_s = time.monotonic()
    try:
        while (frame := conduct.next_frame(time.monotonic() - began_s)) is not None:
            await line.send(frame)
            due_s += conduct.interval_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        await line.send(_HANG_UP)
    except ConnectionClosed:
        return


async def _hear(line: ClientConnection, voice: AgentVoice, began_s: float) -> None:
    try:
        async for message in line:
            if isinstance(message, bytes) and len(message) % 2 == 0:
                voice.hear(time.monotonic() - began_s, message, not is_quiet(message))
    except ConnectionClosed:
        return  # without a farewell; the call's record says why
