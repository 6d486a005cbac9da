"""`voxbus chat` against a server that streams what it is told."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from voxbus_cli.main import main


class Chats(ThreadingHTTPServer):
    """Answers every chat with the same pieces, or refuses it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 201
        self.events: list[str] = [json.dumps({"delta": "It ships "}), json.dumps({"delta": "on Friday."}), "[DONE]"]
        self.asked: list[tuple[str, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Chats

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, body))
        if self.path == "/session":
            self._say(201, json.dumps({"id": "s1"}))
        elif self.server.status != 201:
            self._say(self.server.status, json.dumps({"message": ["input must not be empty"], "statusCode": 400}))
        else:
            self._say(201, "".join(f"data: {event}\n\n" for event in self.server.events))

    def _say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def chats() -> Iterator[Chats]:
    with Chats() as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield server
        server.shutdown()
        serving.join(5)


def test_one_answer_is_printed_as_it_comes(chats: Chats, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "--url", chats.url, "--key", "k", "--assistant", "a", "--say", "Where is it?"]) == 0
    assert capsys.readouterr().out == "It ships on Friday.\n"
    assert chats.asked == [("/chat", {"assistantId": "a", "input": "Where is it?", "stream": True})]


def test_a_conversation_is_one_session_until_an_empty_line(
    chats: Chats, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo\n\nthree\n"))
    assert main(["chat", "--url", chats.url, "--key", "k", "--assistant", "a"]) == 0
    assert [path for path, _ in chats.asked] == ["/session", "/chat", "/chat"]
    assert [body["input"] for path, body in chats.asked if path == "/chat"] == ["one", "two"]
    assert {body["sessionId"] for path, body in chats.asked if path == "/chat"} == {"s1"}
    assert capsys.readouterr().out == "It ships on Friday.\n" * 2


def test_a_refusal_is_told_in_the_apis_words(chats: Chats, capsys: pytest.CaptureFixture[str]) -> None:
    chats.status = 400
    assert main(["chat", "--url", chats.url, "--key", "k", "--say", ""]) == 1
    assert "400 input must not be empty" in capsys.readouterr().err


def test_an_answer_that_breaks_off_fails(chats: Chats, capsys: pytest.CaptureFixture[str]) -> None:
    chats.events[1:] = [json.dumps({"message": "the bus does not answer", "statusCode": 503}), "[DONE]"]
    assert main(["chat", "--url", chats.url, "--key", "k", "--say", "Hi"]) == 1
    heard = capsys.readouterr()
    assert heard.out == "It ships "
    assert "503 the bus does not answer" in heard.err


def test_without_a_server_it_says_how_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "--url", "http://127.0.0.1:9", "--key", "k", "--say", "Hi"]) == 1
    assert "voxbus up" in capsys.readouterr().err
