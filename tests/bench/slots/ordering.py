"""Recorded people order drinks through real calls: one call each, several at a time, over a running stack."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from bus_watch import BusWatch
from drinks import Score, assistant, merged
from stack import Stack

from voxbus_audio.files import read_audio_16k
from voxbus_testing.caller import calling
from voxbus_testing.speech import hush

LEAD_MS: Final = 600
PATIENCE_S: Final = 20.0


class Shop:
    """The customer's server: remembers what each call ordered."""

    def __init__(self) -> None:
        self.orders: dict[str, list[dict[str, str]]] = defaultdict(list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        message = json.loads(await reader.readexactly(length))["message"]
        results: list[dict[str, str]] = []
        for call in message["toolCallList"]:
            arguments = call.get("arguments") or call["function"]["arguments"]
            self.orders[message["call"]["id"]].append(arguments)
            results.append({"toolCallId": call["id"], "result": "ordered"})
        body = json.dumps({"results": results}).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def shop() -> AsyncGenerator[tuple[Shop, str], None]:
    """The server and its address."""
    open_shop = Shop()
    server = await asyncio.start_server(open_shop.serve, "127.0.0.1", 0)
    async with server:
        yield open_shop, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/orders"


async def ordered(stack: Stack, rows: Sequence[dict[str, Any]], at_once: int) -> tuple[Score, list[dict[str, Any]]]:
    """Every recording as a call; the score, and per recording what was wanted, understood and ordered."""
    score, told = Score(), list[dict[str, Any]]()
    room = asyncio.Semaphore(at_once)
    async with shop() as (server, url), BusWatch.at(stack.nats) as watch:

        async def one(row: dict[str, Any]) -> tuple[dict[str, Any], str]:
            async with room:
                return row, await _call(stack, watch, row, assistant(url))

        for row, call_id in await asyncio.gather(*(one(row) for row in rows)):
            got = merged(server.orders[call_id])
            finals = await watch.payloads(call_id, "transcript.final")
            heard = " / ".join(final["text"] for final in finals)
            recognition_ms = [final.get("recognition_ms", 0) for final in finals]
            wanted = row["labels"]["slots"]
            score.add(wanted, got)
            told.append({"id": row["id"], "wanted": wanted, "ordered": got, "heard": heard, "ms": recognition_ms})
    return score, told


async def _call(stack: Stack, watch: BusWatch, row: dict[str, Any], whom: dict[str, Any]) -> str:
    """The call's id once the recording was answered, or nothing was understood of it."""
    async with calling(stack.api, stack.key, whom) as caller:
        caller.say(hush(LEAD_MS) + read_audio_16k(row["file"]))
        await caller.said()
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while asyncio.get_running_loop().time() < deadline and not caller.closed.is_set():
            if _is_answered(await watch.names(caller.call_id)):
                break
            await asyncio.sleep(0.3)
        if not caller.closed.is_set():
            await caller.hang_up()
        await asyncio.wait_for(caller.closed.wait(), PATIENCE_S)
        return caller.call_id


def _is_answered(names: Sequence[str]) -> bool:
    """Did the assistant finish its answer to the caller's last words?"""
    last = {name: n for n, name in enumerate(names)}
    words = max(last.get("transcript.final", -1), last.get("speech.started", -1))
    return last.get("reply.finished", -1) > last.get("turn.committed", -1) > words
