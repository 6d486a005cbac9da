"""`python -m voxbus_cli.stack.fork_server FD`: has read what all services need, and forks a service when asked to.

Reading these modules takes a core for one to three seconds, which is most of a service's start; a forked one begins
behind it. This process never runs a loop, a thread or a client: what is forked finds no lock held and nothing begun.
A service's own modules are its own to read: what they register (Prometheus instruments) no other service has.

Orders come as JSON over the socket FD, each with the descriptors of the log and of a line of its own. On that the new
process tells its id and waits for GO: when the supervisor does not know of it, it ends. It is forked twice over, so
that it becomes the supervisor's child (a subreaper, prctl(2)) and outlives this one.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass
from typing import Final

from setproctitle import setproctitle

from voxbus_cli.stack import starting
from voxbus_cli.stack.lifeline import die_with_parent

READY: Final = b"ready"
GO: Final = b"go"
LARGEST_ORDER: Final = 1 << 20
_ADOPTED_WITHIN_S: Final = 5.0
PRELOADED: Final = (
    "voxbus_runtime.service",
    "voxbus_bus",
    "voxbus_audio",
    "voxbus_archive",
    "voxbus_database",
    "voxbus_objects",
    "voxbus_providers",
    "alembic.command",
    "asyncpg",
    "av",
    "cryptography.fernet",
    "dateutil.parser",
    "fastapi",
    "faststream.nats",
    "httptools",
    "httpx",
    "jsonschema_rs",
    "liquid",
    "mako.template",
    "numpy",
    "python_multipart",
    "soxr",
    "sqlalchemy.ext.asyncio",
    "uvicorn",
    "webrtcvad",
    "websockets.asyncio.server",
    "zstandard",
)


@dataclass(frozen=True, slots=True)
class Order:
    """A service to be started, by its module; `environment` is all it finds, `supervisor` the process it belongs to."""

    service: str
    environment: dict[str, str]
    niceness: int
    supervisor: int

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Order":
        return cls(**json.loads(text))


def preload() -> None:
    """Reads what there is of it: what cannot be read, the service that needs it says in its log."""
    for module in PRELOADED:
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    gc.collect()
    # What a collection never touches stays shared between all who are forked from here.
    gc.freeze()


def serve(line: socket.socket) -> tuple[Order, int, socket.socket] | None:
    """Forks at each order. Returns in every forked process, with order, log and line; in this one at the end: None."""
    while True:
        text, handles, _flags, _sender = socket.recv_fds(line, LARGEST_ORDER, 2)
        if not text:
            return None
        between = os.fork()
        if not between:
            if os.fork():
                os._exit(0)
            line.close()
            return Order.from_json(text), handles[0], socket.socket(fileno=handles[1])
        os.waitpid(between, 0)
        for handle in handles:
            os.close(handle)


def become(order: Order, log: int, line: socket.socket) -> None:
    """Makes this process the one that was ordered: its group, output, environment and name. Then the service runs."""
    os.setpgid(0, 0)
    _adopted(order.supervisor)
    die_with_parent(order.supervisor)
    for output in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(log, output)
    os.close(log)
    os.environ.clear()
    os.environ.update(order.environment)
    os.nice(order.niceness)
    if not _is_wanted(line):
        os._exit(1)
    line.close()
    sys.argv[:] = ["", order.service]
    starting.main()


def _is_wanted(line: socket.socket) -> bool:
    with contextlib.suppress(OSError):
        line.send(str(os.getpid()).encode())
        return line.recv(len(GO)) == GO
    return False


def _adopted(supervisor: int) -> None:
    until_s = time.monotonic() + _ADOPTED_WITHIN_S
    while os.getppid() != supervisor:
        if time.monotonic() > until_s:
            os._exit(1)
        time.sleep(0.001)


def main() -> None:
    """Until the supervisor closes the line."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    line = socket.socket(fileno=int(sys.argv[1]))
    setproctitle("voxbus fork-server")
    preload()
    line.send(READY)
    if forked := serve(line):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        become(*forked)


if __name__ == "__main__":
    main()
