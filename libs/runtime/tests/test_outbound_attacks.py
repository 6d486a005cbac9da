"""Attacks on the client for customers' addresses, with real servers on this machine and a resolver of our own."""

import asyncio
import datetime
import gzip
import ssl
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from voxbus_runtime import outbound
from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client
from voxbus_testing.raw_server import INSIDE, SHOP, RawServer, Resolver, running


def guard(resolver: Resolver) -> Guard:
    return Guard((IPv4Network(f"{SHOP}/32"),), resolver)


async def test_a_name_that_lies_inside_is_refused_and_no_connection_is_opened() -> None:
    resolver = Resolver(evil_example=[[INSIDE]])
    async with running(RawServer(), INSIDE) as inside, customer_client(guard(resolver)) as client:
        for host in ("evil.example", INSIDE, "[::ffff:127.0.0.2]"):
            with pytest.raises(AddressRefused):
                await client.post(f"http://{host}:{inside.port}/", json={})
    assert inside.connections == 0


async def test_a_name_that_moves_inside_after_the_check_gains_nothing() -> None:
    resolver = Resolver(evil_example=[[SHOP], [INSIDE]])
    async with running(RawServer(), SHOP) as shop, running(RawServer(), INSIDE, shop.port) as inside:
        async with customer_client(guard(resolver)) as client:
            url = f"http://evil.example:{shop.port}/"
            assert (await client.get(url)).text == "ok"
            assert resolver.asked == ["evil.example"]  # asked once: what was judged is what was connected to
            assert (await client.get(url, headers={"connection": "close"})).text == "ok"  # the same connection again
        async with customer_client(guard(resolver)) as client:
            with pytest.raises(AddressRefused):
                await client.get(url)
    assert (shop.connections, inside.connections) == (1, 0)


@pytest.mark.parametrize("target", ["http://127.0.0.2:{port}/", "http://evil.example:{port}/", "file:///etc/passwd"])
async def test_a_redirect_inside_is_not_followed_and_is_refused_even_by_one_who_would_follow(target: str) -> None:
    resolver = Resolver(shop_example=[[SHOP]], evil_example=[[INSIDE]])
    async with running(RawServer(), INSIDE) as inside, customer_client(guard(resolver)) as client:
        answer = f"HTTP/1.1 302 Found\r\nLocation: {target.format(port=inside.port)}\r\nContent-Length: 0\r\n\r\n"
        async with running(RawServer(answer.encode()), SHOP) as shop:
            url = f"http://shop.example:{shop.port}/"
            assert (await client.post(url, json={})).status_code == 302
            with pytest.raises((AddressRefused, httpx.UnsupportedProtocol)):
                await client.get(url, follow_redirects=True)
    assert inside.connections == 0


async def test_the_server_sees_its_own_name_as_host() -> None:
    resolver = Resolver(shop_example=[[SHOP]])
    async with running(RawServer(), SHOP) as shop, customer_client(guard(resolver)) as client:
        await client.get(f"http://shop.example:{shop.port}/a?b=1")
    assert shop.heads[0].startswith("GET /a?b=1 HTTP/1.1\r\n")
    assert f"host: shop.example:{shop.port}\r\n" in shop.heads[0].lower()


@pytest.mark.parametrize("size_bytes", [100, 300_000])
async def test_head_and_body_of_a_request_come_in_one_piece_and_a_long_body_whole(size_bytes: int) -> None:
    pieces: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while sum(map(len, pieces)) < size_bytes:
            pieces.append(await reader.read(65_536))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, SHOP, 0)
    async with server, customer_client(guard(Resolver(shop_example=[[SHOP]]))) as client:
        port = server.sockets[0].getsockname()[1]
        answer = await client.post(f"http://shop.example:{port}/", content=b"x" * size_bytes)
    assert answer.text == "ok"
    assert pieces[0].startswith(b"POST / HTTP/1.1")
    assert pieces[0].endswith(b"x")
    assert b"".join(pieces).count(b"x" * 100) == size_bytes // 100


async def test_a_cookie_of_one_streamed_answer_is_not_sent_with_the_next_request() -> None:
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: shop=north\r\nContent-Length: 2\r\n\r\nok"
    async with running(RawServer(answer), SHOP) as shop, customer_client(guard(Resolver())) as client:
        for _ in range(2):
            async with client.stream("POST", f"http://{SHOP}:{shop.port}/", content=b"{}") as response:
                assert await response.aread() == b"ok"
    assert len(shop.heads) == 2
    assert "cookie" not in "".join(shop.heads).lower()


async def test_a_name_and_password_in_the_address_are_sent_with_a_streamed_request() -> None:
    async with (
        running(RawServer(), SHOP) as shop,
        customer_client(guard(Resolver())) as client,
        client.stream("GET", f"http://north:secret@{SHOP}:{shop.port}/") as response,
    ):
        assert await response.aread() == b"ok"
    assert "authorization: basic bm9ydgg6c2vjcmv0\r\n" in shop.heads[0].lower()


async def test_a_streamed_request_is_judged_and_its_failure_says_which_it_was() -> None:
    async with running(RawServer(), INSIDE) as inside, customer_client(guard(Resolver())) as client:
        with pytest.raises(AddressRefused):
            async with client.stream("GET", f"http://{INSIDE}:{inside.port}/"):
                pass
        with pytest.raises(httpx.ConnectError) as failed:
            async with client.stream("GET", "http://nowhere.example/"):
                pass
    assert str(failed.value.request.url) == "http://nowhere.example/"
    assert inside.connections == 0


async def test_a_connection_that_its_server_closed_meanwhile_is_not_used_again() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, SHOP, 0)
    async with server, customer_client(guard(Resolver())) as client:
        for _ in range(3):
            port = server.sockets[0].getsockname()[1]
            async with client.stream("GET", f"http://{SHOP}:{port}/") as response:
                assert await response.aread() == b"ok"


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(RawServer(), INSIDE) as proxy, running(RawServer(), SHOP) as shop:
        monkeypatch.setenv("HTTP_PROXY", f"http://{INSIDE}:{proxy.port}")
        monkeypatch.setenv("ALL_PROXY", f"http://{INSIDE}:{proxy.port}")
        async with customer_client(guard(Resolver(shop_example=[[SHOP]]))) as client:
            assert (await client.get(f"http://shop.example:{shop.port}/")).text == "ok"
    assert proxy.connections == 0


async def test_an_answer_longer_than_the_limit_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "LONGEST_ANSWER_BYTES", 1000)
    long = RawServer(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 200_000)
    async with running(long, SHOP) as shop, customer_client(guard(Resolver())) as client:
        with pytest.raises(httpx.ReadError, match="1000 bytes"):
            await client.get(f"http://{SHOP}:{shop.port}/")


async def test_an_answer_that_drips_for_longer_than_the_limit_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "LONGEST_S", 0.2)

    class Dripping(RawServer):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            try:
                for _ in range(1000):
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.02)
            except ConnectionError:
                pass
            writer.close()

    async with running(Dripping(), SHOP) as shop, customer_client(guard(Resolver())) as client:
        with pytest.raises(httpx.ReadTimeout):
            await asyncio.wait_for(client.get(f"http://{SHOP}:{shop.port}/"), 10)


async def test_a_packed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    async with running(RawServer(head.encode() + bomb), SHOP) as shop, customer_client(guard(Resolver())) as client:
        answer = await client.get(f"http://{SHOP}:{shop.port}/")
    assert answer.content == bomb
    assert "accept-encoding: identity\r\n" in shop.heads[0].lower()


async def test_a_name_nobody_knows_is_told_as_a_failed_connection() -> None:
    async with customer_client(guard(Resolver())) as client:
        with pytest.raises(httpx.ConnectError, match="does not resolve"):
            await client.get("http://nowhere.example/")


@pytest.fixture
def certificate(tmp_path: Path) -> Iterator[Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]]]:
    """A name → (the server's context, a client's context that trusts it)."""

    def made(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        key = ec.generate_private_key(ec.SECP256R1())
        who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
        builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        signed = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        plain = serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        (tmp_path / "server.pem").write_bytes(pem + signed)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(tmp_path / "server.pem")
        return server, ssl.create_default_context(cadata=signed.decode())

    yield made


async def test_the_certificate_is_asked_for_and_checked_by_name_though_the_address_is_connected_to(
    certificate: Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]],
) -> None:
    asked: list[str | None] = []
    server, trusting = certificate("shop.example")
    server.sni_callback = lambda _socket, name, _context: asked.append(name)
    resolver = Resolver(shop_example=[[SHOP]], evil_example=[[SHOP]])
    async with running(RawServer(), SHOP, tls=server) as shop, customer_client(guard(resolver), tls=trusting) as client:
        assert (await client.get(f"https://shop.example:{shop.port}/")).text == "ok"
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(f"https://evil.example:{shop.port}/")
    assert asked == ["shop.example", "evil.example"]
