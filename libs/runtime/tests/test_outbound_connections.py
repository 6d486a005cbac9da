"""What the way out does with well and badly behaved servers: real ones on this machine, of bare bytes."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from ipaddress import IPv4Network
from typing import Any

import httpx
import pytest

from voxbus_runtime import outbound_pool
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client, operator_client
from voxbus_testing.raw_server import INSIDE, SHOP, RawServer, Resolver, running

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def guard(resolver: Resolver | None = None) -> Guard:
    return Guard((IPv4Network("127.0.0.0/8"),), resolver or Resolver())


def at(server: RawServer, host: str = SHOP) -> str:
    return f"http://{host}:{server.port}/"


class Scripted(RawServer):
    """Reads a request's head, then does what `act` does."""

    def __init__(self, *pieces: bytes, then_closes: bool = False, waits: bool = False) -> None:
        super().__init__()
        self._pieces, self._then_closes, self._waits = pieces, then_closes, waits
        self.has_gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                for piece in self._pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if self._waits:
                    await reader.read()
                    break
                if self._then_closes:
                    break
        self.has_gone.set()
        writer.close()


@contextlib.asynccontextmanager
async def asked(server: RawServer, **how: Any) -> AsyncGenerator[httpx.AsyncClient]:
    async with running(server, SHOP), customer_client(guard(), **how) as client:
        yield client


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nSum: 1\r\n\r\n", b"ok"),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", b""),
    ],
)
@pytest.mark.parametrize("size_bytes", [1, 1000])
async def test_an_answer_is_read_however_it_is_cut_and_its_connection_used_again(
    answer: bytes, body: bytes, size_bytes: int
) -> None:
    server = Scripted(*(answer[at : at + size_bytes] for at in range(0, len(answer), size_bytes)))
    async with asked(server) as client:
        assert [(await client.post(at(server), content=b"{}")).content for _ in range(3)] == [body] * 3
    assert (server.connections, len(server.heads)) == (1, 3)


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    server = Scripted(b"HTTP/1.1 200 OK\r\n\r\n", b"all of ", b"it", then_closes=True)
    async with asked(server) as client:
        assert [(await client.get(at(server))).text for _ in range(2)] == ["all of it"] * 2
    assert server.connections == 2


async def test_the_answer_to_head_has_no_body_whatever_its_length_says() -> None:
    server = Scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
    async with asked(server) as client:
        answers = [await client.head(at(server)) for _ in range(2)]
    assert [(each.headers["content-length"], each.content) for each in answers] == [("10", b"")] * 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\nwords",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: " + b"x" * 2_000_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;" + b"x" * 2_000_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
    ],
)
async def test_a_broken_or_endless_answer_is_an_error_and_nothing_is_sent_twice(answer: bytes) -> None:
    server = Scripted(answer, then_closes=True)
    async with asked(server) as client:
        for times in (1, 2):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.post(at(server), content=b"{}")
            assert (server.connections, len(server.heads)) == (times, times)


async def test_what_came_before_an_answer_broke_off_is_read() -> None:
    server = Scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", then_closes=True)
    seen = b""
    async with asked(server) as client, client.stream("GET", at(server)) as response:
        with pytest.raises(httpx.RemoteProtocolError):
            async for part in response.aiter_bytes():
                seen += part
    assert seen == b"ok"


async def test_a_second_answer_to_one_request_is_never_that_of_the_next() -> None:
    stolen = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
    server = RawServer(OK + stolen)
    async with asked(server) as client:
        assert [(await client.get(at(server))).text for _ in range(3)] == ["ok"] * 3
    assert server.connections == 3


async def test_a_connection_whose_server_spoke_unasked_is_not_used_again() -> None:
    class Talkative(RawServer):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(OK)
                await writer.drain()
                await may_speak.wait()
                writer.write(OK.replace(b"ok", b"no"))
                await writer.drain()
                has_spoken.set()
                await reader.read()
            writer.close()

    may_speak, has_spoken, server = asyncio.Event(), asyncio.Event(), Talkative()
    async with asked(server) as client:
        for _ in range(2):
            assert (await client.get(at(server))).text == "ok"
            may_speak.set()
            await has_spoken.wait()
            has_spoken.clear()
    assert server.connections == 2


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
async def test_how_long_a_request_is_is_not_for_its_headers_to_say(name: str) -> None:
    hidden = b"GET /hidden HTTP/1.1\r\n\r\n"
    value = {"Content-Length": "0", "transfer-encoding": "chunked"}[name]
    server = RawServer()
    async with asked(server) as client:
        await client.post(at(server), content=b"0\r\n\r\n" + hidden, headers={name: value})
    fields = server.heads[0].lower().split("\r\n")
    assert [each for each in fields if each.startswith(("content-length", "transfer"))] == ["content-length: 29"]


@pytest.mark.parametrize(
    "how",
    [
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X": "a\nb"}},
        {"headers": {"X: y\r\nZ": "a"}},
        {"headers": {"": "a"}},
        {"method": "GET / HTTP/1.1\r\nX: y\r\n\r\nGET"},
        {"method": "CONNECT"},
    ],
)
async def test_a_request_that_says_more_than_it_should_is_not_sent(how: dict[str, Any]) -> None:
    server = RawServer()
    async with asked(server) as client:
        with pytest.raises(httpx.LocalProtocolError):
            await client.request(**{"method": "POST", "url": at(server), "content": b"{}"} | how)
        assert not server.heads
        assert (await client.get(at(server))).text == "ok"


async def test_line_breaks_in_an_address_stay_in_the_address() -> None:
    server = RawServer()
    async with asked(server) as client:
        await client.get(f"{at(server)}a b\u00fc?c=%0d%0aX:%20y")
    assert server.heads[0].startswith("GET /a%20b%C3%BC?c=%0d%0aX:%20y HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "how",
    [
        {"content": b"{}"},
        {"content": b"{}", "headers": {"X-Shop": "north", "accept": "a/b", "User-Agent": "own"}, "timeout": 3},
        {"content": b"{}", "headers": {"HOST": "other.example", "accept-Encoding": "gzip"}, "timeout": None},
        {"content": b"", "headers": {"x": "y"}},
        {"content": None},
        {"json": {"a": 1}, "headers": [("x", "1"), ("x", "2")]},
        {"data": {"a": "1"}},
        {"content": b"{}", "params": {"a": "1"}},
    ],
)
async def test_a_request_is_what_httpx_would_have_made_of_it(how: dict[str, Any]) -> None:
    url = "http://north:se%40cret@Shop.example:8080/a b?c=\u00fc"
    own = {"accept-encoding": "identity"}
    async with customer_client(guard()) as client, httpx.AsyncClient(headers=own, timeout=client.timeout) as usual:
        made, expected = client.build_request("post", url, **how), usual.build_request("post", url, **how)
    assert (made.method, made.url, made.extensions) == (expected.method, expected.url, expected.extensions)
    assert sorted(made.headers.raw) == sorted(expected.headers.raw)
    assert await made.aread() == await expected.aread()


@pytest.mark.parametrize("by", ["leaving", "cancelling"])
async def test_an_answer_that_is_left_before_its_end_is_broken_off_at_once(by: str) -> None:
    server = Scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"ok", waits=True)
    reading = asyncio.Event()

    async def read(client: httpx.AsyncClient) -> None:
        async with client.stream("GET", at(server), timeout=None) as response:
            async for _ in response.aiter_bytes():
                reading.set()
                if by == "leaving":
                    return

    async with asked(server) as client:
        task = asyncio.create_task(read(client))
        await reading.wait()
        if by == "cancelling":
            task.cancel()
        await asyncio.wait([task])
        await asyncio.wait_for(server.has_gone.wait(), 5)


async def test_who_stops_waiting_for_an_answer_breaks_it_off() -> None:
    server = Scripted(waits=True)
    async with asked(server) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(at(server), timeout=0.05)
        await asyncio.wait_for(server.has_gone.wait(), 5)


async def test_a_server_that_takes_nothing_is_left_in_time() -> None:
    class Deaf(RawServer):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await done.wait()
            writer.transport.abort()

    done, server = asyncio.Event(), Deaf()
    async with asked(server) as client:
        with pytest.raises(httpx.WriteTimeout):
            await client.post(at(server), content=b"x" * 30_000_000, timeout=httpx.Timeout(30, write=0.1))
        done.set()


async def test_a_server_waits_for_whoever_reads_slowly() -> None:
    class Fast(RawServer):
        sent = 0

        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                for _ in range(500):
                    writer.write(b"x" * 100_000)
                    await writer.drain()
                    self.sent += 100_000
            writer.close()

    server = Fast()
    async with asked(server) as client, client.stream("GET", at(server)) as response:
        parts = response.aiter_bytes()
        seen, before = len(await anext(parts)), -1
        while server.sent != before:
            before = server.sent
            await asyncio.sleep(0.1)
        assert server.sent < 15_000_000
        while seen < 12_000_000:
            seen += len(await anext(parts))
        assert server.sent > 12_000_000 - 100_000


async def test_there_are_no_more_connections_than_allowed_and_one_that_is_free_makes_room_for_another_server() -> None:
    holding, other = Scripted(waits=True), RawServer()
    async with running(other, SHOP), asked(holding, connections=2) as client:
        first = asyncio.create_task(client.get(at(holding)))
        assert (await client.get(at(other))).text == "ok"
        second = asyncio.create_task(client.get(at(holding)))  # in the place of the one that is idle
        while holding.connections < 2:
            await asyncio.sleep(0.01)
        with pytest.raises(httpx.PoolTimeout):
            await client.get(at(other), timeout=httpx.Timeout(30, pool=0.05))
        third = asyncio.create_task(client.get(at(other)))
        first.cancel()
        assert (await third).text == "ok"
        second.cancel()
        await asyncio.wait([first, second])


async def test_an_idle_connection_is_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    server = RawServer()
    async with asked(server) as client:
        for _ in range(2):
            await client.get(at(server))
        monkeypatch.setattr(outbound_pool, "KEPT_S", -1.0)
        await client.get(at(server))
    assert server.connections == 2


async def test_the_next_address_of_a_name_is_tried_and_the_fifth_is_not() -> None:
    dead = [f"127.0.0.{n}" for n in (3, 4, 5, 6)]
    near, far = Resolver(shop_example=[[*dead[:3], SHOP]]), Resolver(shop_example=[[*dead, SHOP]])
    async with running(RawServer(), SHOP) as server:
        async with customer_client(guard(near)) as client:
            assert (await client.get(at(server, "shop.example"))).text == "ok"
        async with customer_client(guard(far)) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(at(server, "shop.example"))


async def test_a_proxy_of_the_environment_is_used_for_the_operators_own_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(RawServer(), INSIDE) as proxy, running(RawServer(), SHOP) as vendor:
        monkeypatch.setenv("HTTP_PROXY", f"http://{INSIDE}:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with operator_client() as client:
            assert (await client.get(at(vendor))).text == "ok"
        assert (proxy.connections, vendor.connections) == (1, 0)
        monkeypatch.delenv("HTTP_PROXY")
        async with operator_client() as client:
            assert (await client.get(at(vendor))).text == "ok"
        assert (proxy.connections, vendor.connections) == (1, 1)
