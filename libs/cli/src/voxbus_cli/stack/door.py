"""The stack's own door: a socket in its data folder, for commands to the running `voxbus up`.

One JSON object a line. In: {"restart": ["vad"]}. Out: {"said": "…"}, any number of them, then {"done": true} or
{"failed": "…"}.
The folder is its owner's alone, and so is the socket.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Any, Final

from voxbus_cli.errors import CommandFailed, NotReachable, StackFailed

Say = Callable[[str], None]
Restart = Callable[[list[str], Say], Awaitable[None]]

_NAME: Final = "door"


@contextlib.contextmanager
def _address(folder: Path) -> Generator[str]:
    """A socket's address has room for 107 bytes and folders may lie deep: through a descriptor it is always short."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{_NAME}"
    finally:
        os.close(handle)


@contextlib.asynccontextmanager
async def open_door(folder: Path, restart: Restart) -> AsyncGenerator[None]:
    """While it lasts, commands of the folder's owner are carried out, one after the other."""
    in_turn = asyncio.Lock()

    async def on_visitor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def tell(answer: dict[str, Any]) -> None:
            writer.write(json.dumps(answer).encode() + b"\n")

        with contextlib.suppress(OSError, asyncio.CancelledError):
            try:
                wish = json.loads(await reader.readline())
                async with in_turn:
                    await restart(list(wish["restart"]), lambda text: tell({"said": text}))
                tell({"done": True})
            except CommandFailed as failure:
                tell({"failed": str(failure)})
            except (ValueError, KeyError, TypeError):
                tell({"failed": "this stack is of another version of Voxbus and does not understand the command"})
            await writer.drain()
        writer.close()

    with _address(folder) as address:
        server = await asyncio.start_unix_server(on_visitor, address)
        (folder / _NAME).chmod(0o600)
        try:
            yield
        finally:
            server.close()
            (folder / _NAME).unlink(missing_ok=True)


async def ask_for_restart(folder: Path, services: list[str], say: Say) -> None:
    """Has the stack of a folder restart services and passes on what it says. Raises NotReachable, StackFailed."""
    try:
        with _address(folder) as address:
            reader, writer = await asyncio.open_unix_connection(address)
    except OSError as wrong:
        raise NotReachable(f"no stack runs in {folder}: start it with `voxbus up`, or set VOXBUS_DATA_DIR") from wrong
    writer.write(json.dumps({"restart": services}).encode() + b"\n")
    try:
        while line := await reader.readline():
            answer = json.loads(line)
            if "said" in answer:
                say(answer["said"])
            elif "failed" in answer:
                raise StackFailed(answer["failed"])
            else:
                return
    finally:
        writer.close()
    raise StackFailed("the stack ended before it was done")
