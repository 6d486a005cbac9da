"""Frames of a WebSocket, however its bytes are cut: audio is handed over, the rest is the library's, in order."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.frames import Frame, Opcode

from voxbus_media_ingress.connection import PLAIN_BYTES, MediaConnection


class Ear:
    """A server that hears one client: what came at once, and what came through the library."""

    def __init__(self, takes_audio: bool = True) -> None:
        self.at_once: list[bytes] = []
        self.read: list[bytes | str] = []
        self.done = asyncio.Event()
        self._takes_audio = takes_audio

    async def serve(self, socket: ServerConnection) -> None:
        assert isinstance(socket, MediaConnection)
        if self._takes_audio:
            socket.hand_over_audio(self._hear)
        async for message in socket:
            self.read.append(message)
            if message == "bye":
                break
        self.done.set()

    def _hear(self, wire: bytes) -> bool:
        self.at_once.append(wire)
        return True

    async def hears(self, chunks: list[bytes]) -> None:
        server: Server = await serve(self.serve, "127.0.0.1", 0, create_connection=MediaConnection, compression=None)
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", compression=None) as client:
            await client.send(b"first")  # so that the server's handler runs when the rest comes
            while not (self.at_once or self.read):
                await asyncio.sleep(0.001)
            for chunk in chunks:
                client.transport.write(chunk)
                await asyncio.sleep(0)
            async with asyncio.timeout(10):
                await self.done.wait()
        server.close()
        await server.wait_closed()


def framed(message: bytes | str) -> bytes:
    opcode, payload = (Opcode.TEXT, message.encode()) if isinstance(message, str) else (Opcode.BINARY, message)
    return Frame(opcode, payload).serialize(mask=True)


messages = st.lists(st.binary(max_size=300) | st.sampled_from([b"x" * 640, b"y" * 1_000, "text", "ü"]), max_size=8)


@settings(max_examples=25, deadline=None)
@given(messages, st.lists(st.integers(1, 700), min_size=1, max_size=10))
def test_however_its_bytes_are_cut_audio_comes_at_once_and_texts_are_read(
    said: list[bytes | str], cuts: list[int]
) -> None:
    stream = b"".join(framed(message) for message in [*said, "bye"])
    chunks: list[bytes] = []
    while stream:
        size = cuts[len(chunks) % len(cuts)]
        chunks.append(stream[:size])
        stream = stream[size:]
    ear = Ear()
    asyncio.run(ear.hears(chunks))
    assert [message for message in ear.at_once if message != b"first"] == [m for m in said if isinstance(m, bytes)]
    assert [text for text in ear.read if text != b"first"] == [*(m for m in said if isinstance(m, str)), "bye"]


@pytest.mark.parametrize("long", [b"z" * (PLAIN_BYTES + 10), b"z" * 200_000])
async def test_a_long_message_comes_through_the_library_and_so_does_all_behind_it(long: bytes) -> None:
    ear = Ear()
    await ear.hears([framed(b"before"), framed(long), framed(b"after"), framed("bye")])
    assert [message for message in ear.at_once if message != b"first"] == [b"before"]
    assert [message for message in ear.read if message != b"first"] == [long, b"after", "bye"]


async def test_a_message_in_pieces_is_joined_by_the_library() -> None:
    ear = Ear()
    pieces = [
        Frame(Opcode.BINARY, b"one ", fin=False).serialize(mask=True),
        Frame(Opcode.PING, b"?").serialize(mask=True),
        Frame(Opcode.CONT, b"two").serialize(mask=True),
    ]
    await ear.hears([*pieces, framed("bye")])
    assert [message for message in ear.read if message != b"first"] == [b"one two", "bye"]


async def test_without_an_ear_everything_is_read() -> None:
    ear = Ear(takes_audio=False)
    await ear.hears([framed(b"a"), framed("b"), framed("bye")])
    assert ear.read == [b"first", b"a", "b", "bye"]
