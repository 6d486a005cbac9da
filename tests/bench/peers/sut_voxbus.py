"""Voxbus as a system under test of the harness: a whole stack, and a door that sends each caller to its own call.

The harness's callers connect to ws://127.0.0.1:$PORT/ws/<call>. The door creates a call over the public API and
answers with a redirect to its address, so the audio goes to Voxbus directly. $LLM is the harness's model server.
"""

import asyncio
import os
import signal
import sys
import wave
from http import HTTPStatus
from pathlib import Path

import httpx
import stubs  # the harness's own: what it takes our stubs to do
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from voxbus_cli.bench import behaviour
from voxbus_cli.bench.behaviour import Variant, assistant
from voxbus_cli.bench.own_stack import RunningStack, own_stack

CALLS = 200


def check_stubs() -> None:
    """Our stubs must be the harness's, or the comparison is none."""
    theirs_ms = {
        "end of turn": (stubs.ENDPOINT_S * 1_000, behaviour.SILENCE_MS),
        "recognizer": (stubs.T_STT * 1_000, behaviour.RECOGNIZER_MS),
        "voice": (stubs.T_TTS * 1_000, behaviour.VOICE_MS),
        "voice per character": (stubs.TTS_MS_PER_CHAR, behaviour.VOICE_MS_PER_CHARACTER),
        "nominal path": ((stubs.NOMINAL + stubs.T_SENT) * 1_000, behaviour.NOMINAL_MS),
    }
    differing = [name for name, (theirs, ours) in theirs_ms.items() if abs(theirs - ours) > 0.5]
    if differing:
        sys.exit(f"stubs that differ from the harness's: {', '.join(differing)}")


def utterance() -> tuple[str, int]:
    """What the harness's callers say, and its length in ms."""
    with wave.open(str(Path(stubs.__file__).with_name("caller.wav"))) as question:
        return stubs.TRANSCRIPT, question.getnframes() * 1_000 // question.getframerate()


class Door:
    """Answers the callers' handshakes."""

    def __init__(self, stack: RunningStack, model_url: str, variant: Variant) -> None:
        self._http = httpx.AsyncClient(
            base_url=stack.api, headers={"Authorization": f"Bearer {stack.key}"}, timeout=20, trust_env=False
        )
        self._assistant = assistant(model_url, variant, utterance())

    async def answer(self, _: ServerConnection, request: Request) -> Response:
        call = request.path.removeprefix("/ws/")
        if call == request.path:
            return _response(HTTPStatus.OK)
        # The harness's model tells the calls apart by the model's name.
        theirs = {**self._assistant, "model": {**self._assistant["model"], "model": f"stub-{call}"}}
        body = {"assistant": theirs, "transport": {"provider": "vapi.websocket"}}
        created = await self._http.post("/call", json=body)
        if not created.is_success:
            print(f"POST /call: {created.status_code} {created.text[:300]}", file=sys.stderr)
            return _response(HTTPStatus.BAD_GATEWAY)
        return _response(HTTPStatus.TEMPORARY_REDIRECT, Location=created.json()["transport"]["websocketCallUrl"])


def _response(status: HTTPStatus, **headers: str) -> Response:
    return Response(status, status.phrase, Headers({**headers, "Content-Length": "0"}), b"")


async def _refuse(connection: ServerConnection) -> None:
    """No handshake is ever completed here."""
    await connection.close()


async def main() -> None:
    check_stubs()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    variant = Variant(wait_ms=0, speculates=os.environ.get("SPECULATION", "on") == "on")
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PORT")}
    async with own_stack(CALLS, None, inherited) as stack:
        door = Door(stack, os.environ["LLM"], variant)
        async with serve(_refuse, "127.0.0.1", int(os.environ["PORT"]), process_request=door.answer):
            await stop.wait()


if __name__ == "__main__":
    uvloop.run(main())
