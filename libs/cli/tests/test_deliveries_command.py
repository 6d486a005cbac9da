"""`voxbus deliveries` against a server that has two dead letters."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from voxbus_cli.main import main

DEAD = [
    {
        "id": f"call-1.{seq}.0",
        "type": "status-update",
        "updatedAt": f"2026-11-24T02:00:0{seq}.000Z",
        "attempts": seq,
        "reason": "server-bad-status",
        "statusCode": 500,
    }
    for seq in (2, 1)
]


class Shelf(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Shelf

    def _answer(self) -> None:
        self.server.asked.append((self.command, self.path))
        path = self.path.partition("?")[0]
        found = [each for each in DEAD if path.startswith(f"/delivery/{each['id']}")]
        if path == "/delivery":
            self._say(200, DEAD)
        elif not found:
            self._say(404, {"message": "there is no such delivery"})
        else:
            self._say(200, {**found[0], "body": {"message": {"type": "status-update"}}})

    do_GET = do_POST = _answer  # noqa: N815

    def _say(self, status: int, body: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    server = Shelf()
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    yield server
    server.shutdown()
    serving.join(5)
    server.server_close()


def run(shelf: Shelf, *arguments: str) -> int:
    return main(["deliveries", "--url", f"http://127.0.0.1:{shelf.server_port}", "--key", "vb_mine", *arguments])


def test_the_list_says_what_was_given_up_when_and_why(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shelf, "list", "--call", "call-1") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "call-1.2.0  status-update  2026-11-24T02:00:02.000Z  tried 2 times  server-bad-status 500"
    assert second.startswith("call-1.1.0  ")
    assert shelf.asked == [("GET", "/delivery?limit=1000&callId=call-1")]


def test_one_is_shown_whole(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shelf, "show", "call-1.1.0") == 0
    assert json.loads(capsys.readouterr().out)["body"] == {"message": {"type": "status-update"}}


def test_all_of_a_call_are_sent_again_in_the_order_they_were_made(shelf: Shelf) -> None:
    assert run(shelf, "retry", "--call", "call-1") == 0
    assert [path for method, path in shelf.asked if method == "POST"] == [
        "/delivery/call-1.1.0/retry",
        "/delivery/call-1.2.0/retry",
    ]


def test_one_that_is_not_there_is_an_error(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shelf, "retry", "call-9.9.0") == 1
    assert "404" in capsys.readouterr().err


def test_what_is_to_be_sent_again_must_be_said(shelf: Shelf) -> None:
    assert run(shelf, "retry") == 2
    assert not shelf.asked
