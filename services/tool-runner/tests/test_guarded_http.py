"""The connection itself is guarded, not only the address that was checked."""

import asyncio

import pytest

from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.guard import Guard
from voxbus_tool_runner.guarded_http import guarded_client

pytestmark = pytest.mark.integration


async def test_a_connection_to_an_address_that_is_not_allowed_is_never_opened() -> None:
    connected = False

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        connected = True
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, guarded_client(Guard(), 4) as client:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(AddressRefused):
                await client.post(f"http://{host}:{port}/", json={})
    assert not connected
