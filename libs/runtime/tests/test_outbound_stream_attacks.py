"""Attacks on WebSockets to customers' addresses, and on answers that stream: the same guard keeps them."""

import asyncio
import ssl
from ipaddress import IPv4Network

import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError
from websockets.http11 import Request, Response

from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client
from voxbus_runtime.outbound_stream import LONGEST_MESSAGE_BYTES, StreamRefused, StreamUnavailable, open_stream
from voxbus_testing.raw_server import INSIDE, SHOP, RawServer, Resolver, running

TLS = ssl.create_default_context()


def guard(resolver: Resolver) -> Guard:
    return Guard((IPv4Network(f"{SHOP}/32"),), resolver)


async def echo(line: ServerConnection) -> None:
    async for message in line:
        await line.send(message)


async def test_messages_go_both_ways_and_the_server_sees_its_own_name_and_our_headers() -> None:
    seen: list[Request] = []

    def note(_line: ServerConnection, request: Request) -> None:
        seen.append(request)

    async with serve(echo, SHOP, 0, process_request=note) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        resolver = Resolver(shop_example=[[SHOP]])
        line = await open_stream(guard(resolver), f"ws://shop.example:{port}/hear?a=1", {"x-vapi-secret": "s"}, tls=TLS)
        await line.send(b"sound")
        assert await asyncio.wait_for(line.recv(), 5) == b"sound"
        await line.close()
    assert seen[0].path == "/hear?a=1"
    assert seen[0].headers["host"] == f"shop.example:{port}"
    assert seen[0].headers["x-vapi-secret"] == "s"
    assert "sec-websocket-extensions" not in seen[0].headers


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        INSIDE,
        "[::ffff:127.0.0.2]",
        "[::1]",
        "0.0.0.0",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[64:ff9b::7f00:2]",
        "2130706434",
        "0x7f.2",
        "localhost",
    ],
)
async def test_an_address_inside_is_refused_and_no_connection_is_opened(host: str) -> None:
    inner = {"evil.example": INSIDE, "2130706434": INSIDE, "0x7f.2": INSIDE, "localhost": INSIDE}
    resolver = Resolver(**{name.replace(".", "_"): [[address]] for name, address in inner.items()})
    async with running(RawServer(), INSIDE) as inside:
        for scheme in ("ws", "wss", "http"):
            with pytest.raises(AddressRefused):
                await open_stream(guard(resolver), f"{scheme}://{host}:{inside.port}/", {}, tls=TLS)
    assert inside.connections == 0


async def test_a_name_that_moves_inside_after_the_check_gains_nothing() -> None:
    resolver = Resolver(evil_example=[[SHOP], [INSIDE]])
    async with serve(echo, SHOP, 0) as shop:
        port = next(iter(shop.sockets)).getsockname()[1]
        async with running(RawServer(), INSIDE, port) as inside:
            line = await open_stream(guard(resolver), f"ws://evil.example:{port}/", {}, tls=TLS)
            assert resolver.asked == ["evil.example"]
            assert line.remote_address[0] == SHOP
            await line.close()
            with pytest.raises(AddressRefused):
                await open_stream(guard(resolver), f"ws://evil.example:{port}/", {}, tls=TLS)
    assert inside.connections == 0


async def test_one_forbidden_address_among_public_ones_refuses_the_whole_name() -> None:
    with pytest.raises(AddressRefused):
        await open_stream(guard(Resolver(mixed_example=[[SHOP, INSIDE]])), "ws://mixed.example:9/", {}, tls=TLS)


@pytest.mark.parametrize("target", ["ws://127.0.0.2:{port}/", "ws://evil.example:{port}/", "http://127.0.0.2:{port}/"])
async def test_a_redirect_is_not_followed(target: str) -> None:
    resolver = Resolver(shop_example=[[SHOP]], evil_example=[[INSIDE]])
    async with running(RawServer(), INSIDE) as inside:
        answer = f"HTTP/1.1 307 Moved\r\nLocation: {target.format(port=inside.port)}\r\nContent-Length: 0\r\n\r\n"
        async with running(RawServer(answer.encode()), SHOP) as shop:
            with pytest.raises(StreamRefused):
                await open_stream(guard(resolver), f"ws://shop.example:{shop.port}/", {}, tls=TLS)
    assert inside.connections == 0


@pytest.mark.parametrize("url", ["ftp://a.example/", "file:///etc/passwd", "unix:/run/x.sock", "gopher://a/", "a", ""])
async def test_odd_schemes_are_refused(url: str) -> None:
    with pytest.raises((AddressRefused, StreamRefused)):
        await open_stream(Guard(), url, {}, tls=TLS)


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(RawServer(), INSIDE) as proxy, serve(echo, SHOP, 0) as shop:
        port = next(iter(shop.sockets)).getsockname()[1]
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "ws_proxy"):
            monkeypatch.setenv(name, f"http://{INSIDE}:{proxy.port}")
        line = await open_stream(guard(Resolver(shop_example=[[SHOP]])), f"ws://shop.example:{port}/", {}, tls=TLS)
        await line.close()
    assert proxy.connections == 0


@pytest.mark.parametrize(("status", "kind"), [(401, StreamRefused), (200, StreamRefused), (503, StreamUnavailable)])
async def test_an_answer_that_is_no_websocket_is_told_by_its_status(status: int, kind: type[Exception]) -> None:
    async def say_no(line: ServerConnection, _request: Request) -> Response:
        return line.respond(status, "a secret sentence")

    async with serve(echo, SHOP, 0, process_request=say_no) as shop:
        port = next(iter(shop.sockets)).getsockname()[1]
        with pytest.raises(kind, match=f"answered {status}") as told:
            await open_stream(guard(Resolver()), f"ws://{SHOP}:{port}/", {}, tls=TLS)
    assert "secret" not in str(told.value)


async def test_a_server_that_takes_the_connection_and_says_nothing_is_given_up() -> None:
    async with running(RawServer(b""), SHOP) as shop:
        with pytest.raises(StreamUnavailable, match=r"within 0\.2 s"):
            await open_stream(guard(Resolver()), f"ws://{SHOP}:{shop.port}/", {}, tls=TLS, within_s=0.2)


async def test_nobody_there_and_a_name_nobody_knows_are_told_as_unavailable() -> None:
    async with running(RawServer(), SHOP) as shop:
        port = shop.port
    for host in (SHOP, "nowhere.example"):
        with pytest.raises(StreamUnavailable):
            await open_stream(guard(Resolver()), f"ws://{host}:{port}/", {}, tls=TLS)


async def test_a_message_beyond_the_limit_ends_the_connection() -> None:
    async def flood(line: ServerConnection) -> None:
        await line.send("x" * (LONGEST_MESSAGE_BYTES + 1))

    async with serve(flood, SHOP, 0) as shop:
        port = next(iter(shop.sockets)).getsockname()[1]
        line = await open_stream(guard(Resolver()), f"ws://{SHOP}:{port}/", {}, tls=TLS)
        with pytest.raises(ConnectionClosedError):
            await asyncio.wait_for(line.recv(), 5)


async def test_a_certificate_of_another_name_is_no_connection() -> None:
    with pytest.raises((StreamUnavailable, StreamRefused)):
        async with running(RawServer(), SHOP) as shop:  # speaks no TLS at all
            await open_stream(guard(Resolver()), f"wss://{SHOP}:{shop.port}/", {}, tls=TLS)


async def test_an_answer_that_streams_is_judged_as_any_other_before_its_first_byte() -> None:
    resolver = Resolver(evil_example=[[INSIDE]])
    async with running(RawServer(), INSIDE) as inside, customer_client(guard(resolver)) as client:
        for host in ("evil.example", INSIDE, "[::ffff:127.0.0.2]", "169.254.169.254"):
            with pytest.raises(AddressRefused):
                async with client.stream("POST", f"http://{host}:{inside.port}/", json={}):
                    pass
        with pytest.raises((AddressRefused, httpx.UnsupportedProtocol)):
            async with client.stream("POST", "ws://evil.example/", json={}):
                pass
    assert inside.connections == 0
