"""`voxbus keys` against a server that keeps its keys in a dictionary."""

import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from voxbus_cli.main import main


class Tokens(ThreadingHTTPServer):
    """`/token` by id; a request without a key that is there is refused."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: dict[str, dict[str, Any]] = {"k0": {"id": "k0", "tag": "private", "value": "vb_old"}}
        self.asked: list[tuple[str, str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Tokens

    def _answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        secret = self.headers["authorization"].removeprefix("Bearer ")
        path = self.path.partition("?")[0]
        self.server.asked.append((self.command, path, secret))
        keys = self.server.keys
        mine = next((key for key in keys.values() if key["value"] == secret), None)
        if mine is None:
            self._say(401, {"message": "this key is not valid"})
        elif self.command == "POST":
            made = {"id": f"k{len(keys)}", "value": f"vb_{len(keys)}", "createdAt": "now", **body}
            keys[made["id"]] = made
            self._say(201, made)
        elif path == "/token":
            self._say(200, [{"createdAt": "then", **key} for key in keys.values()])
        elif self.command == "GET":
            self._say(200, mine)
        elif self.command == "PATCH":
            keys[path.removeprefix("/token/")] |= body
            self._say(200, mine)
        else:
            self._say(200, keys.pop(path.removeprefix("/token/")))

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _say(self, status: int, body: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        pass


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tokens]:
    server = Tokens()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("VOXBUS_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("VOXBUS_API_KEY", raising=False)
    (tmp_path / "api-url").write_text(f"{server.url}\n")
    (tmp_path / "api-key").write_text("vb_old\n")
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_a_new_key_is_all_that_is_printed(tokens: Tokens, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "new", "--public", "--origin", "https://a.example", "--assistant", "a1"]) == 0
    assert capsys.readouterr().out == "vb_1\n"
    made = tokens.keys["k1"]
    assert made["tag"] == "public"
    assert made["restrictions"] == {"allowedOrigins": ["https://a.example"], "allowedAssistantIds": ["a1"]}


def test_the_key_in_use_is_replaced_and_the_old_one_gets_an_end(tokens: Tokens, tmp_path: Path) -> None:
    assert main(["keys", "rotate"]) == 0
    path = tmp_path / "api-key"
    assert path.read_text() == "vb_1\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "expiresAt" in tokens.keys["k0"]
    assert tokens.asked[-1] == ("PATCH", "/token/k0", "vb_1"), "by the new key: it is known to work before the end"


def test_without_grace_the_old_key_ends_at_once(tokens: Tokens) -> None:
    assert main(["keys", "rotate", "--grace", "0"]) == 0
    assert list(tokens.keys) == ["k1"]


def test_a_key_of_another_server_leaves_the_stacks_own_alone(tokens: Tokens, tmp_path: Path) -> None:
    tokens.keys["k9"] = {"id": "k9", "tag": "private", "value": "vb_elsewhere"}
    assert main(["keys", "--key", "vb_elsewhere", "rotate", "--grace", "0"]) == 0
    assert (tmp_path / "api-key").read_text() == "vb_old\n"


def test_keys_are_listed_and_revoked(tokens: Tokens, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "list"]) == 0
    assert capsys.readouterr().out.startswith("k0  private")
    assert main(["keys", "revoke", "k0"]) == 0
    assert tokens.keys == {}


def test_what_cannot_be_done_is_told(tokens: Tokens, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "new", "--origin", "https://a.example"]) == 2
    assert "--public" in capsys.readouterr().err
    assert main(["keys", "--key", "vb_wrong", "list"]) == 1
    assert "401" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["keys", "rotate", "--grace", "-1"])
