"""A server that speaks S3, inside the test process, on a free port; and one that can be told to fail."""

import http.client
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests-secret",
    "AWS_REGION": "us-east-1",
}


@dataclass
class S3Server:
    """The S3 protocol as moto serves it, behind a door that can be shut."""

    bucket: str
    door: "Door"

    def address(self, prefix: str) -> str:
        """A store's URL; each test has a bucket of its own."""
        return f"s3://{self.bucket}/{prefix}?endpoint={self.door.endpoint}"


@dataclass
class Door:
    """Passes requests on, or answers them with `status` when that is set; counts what it turned away."""

    behind: str
    status: int = 0
    turned_away: int = 0
    endpoint: str = ""
    server: Any = field(default=None, repr=False)

    def open(self) -> None:
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                del format, args

            def handle_any(self) -> None:
                body = self._body()
                if door.status:
                    door.turned_away += 1
                    self._answer(door.status, [("Content-Type", "text/plain")], b"told to fail")
                    return
                target = http.client.HTTPConnection(urlsplit(door.behind).netloc, timeout=10)
                headers = {k: v for k, v in self.headers.items() if k.lower() != "transfer-encoding"}
                target.request(self.command, self.path, body, headers)
                response = target.getresponse()
                content = response.read()
                kept = [(k, v) for k, v in response.getheaders() if k.lower() not in _HOP]
                self._answer(response.status, kept, content, length=response.getheader("Content-Length"))
                target.close()

            def _body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))

            def _answer(
                self, status: int, headers: list[tuple[str, str]], content: bytes, length: str | None = None
            ) -> None:
                self.send_response(status)
                for key, value in headers:
                    self.send_header(key, value)
                self.send_header("Content-Length", (length if self.command == "HEAD" else None) or str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


_HOP = frozenset({"content-length", "transfer-encoding", "connection", "server", "date"})


@pytest.fixture(scope="session")
def moto_address() -> Iterator[str]:
    """`host:port` of one server for the whole session."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415  # takes a second; only who needs it pays

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"{host}:{port}"
    moto.stop()


@pytest.fixture
def s3_server(moto_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A bucket of the test's own, and credentials for it in the environment."""
    door = Door(f"http://{moto_address}")
    door.open()
    for name, value in _CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    server = S3Server(f"voxbus-{secrets.token_hex(4)}", door)
    connection = http.client.HTTPConnection(moto_address, timeout=10)
    connection.request("PUT", f"/{server.bucket}")
    assert connection.getresponse().status == 200
    connection.close()
    yield server
    door.close()
