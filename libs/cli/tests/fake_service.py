"""A service of the stack's tests: beats as a real one does, over a plain socket so that it starts at once.

Its second argument says how it behaves: `ready` well; `mute` never says ready; `broken` exits at once; `stubborn`
ignores SIGTERM; `once` exits at once when it was started before; `parent` has a child of its own that would outlive it.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

_, stage, manner, folder = sys.argv
notes = Path(folder)
worker = os.environ["VOXBUS_WORKER_ID"]
server = urlsplit(os.environ["VOXBUS_NATS_URL"])


def beat(line: socket.socket) -> None:
    payload = json.dumps({"stage": stage, "worker": worker, "state": "starting" if manner == "mute" else "ready"})
    line.sendall(f"PUB worker.v1.{stage}.{worker}.status {len(payload)}\r\n{payload}\r\n".encode())


def bus_is_there() -> bool:
    with contextlib.suppress(OSError), socket.create_connection((server.hostname, server.port), 1):
        return True
    return False


def drain(_number: int, _frame: FrameType | None) -> None:
    (notes / f"{stage}.drained").write_text("the bus was there" if bus_is_there() else "the bus was gone")
    os._exit(0)


signal.signal(signal.SIGTERM, signal.SIG_IGN if manner == "stubborn" else drain)
with (notes / f"{stage}.pids").open("a") as pids:
    pids.write(f"{os.getpid()} {worker} {os.environ['VOXBUS_START_NICENESS']}\n")
lives = (notes / f"{stage}.pids").read_text().count("\n")
if manner == "broken" or (manner == "once" and lives > 1):
    sys.exit("the reason is on the last line")
if manner == "parent":
    child = subprocess.Popen(["sleep", "600"])
    (notes / "grandchild").write_text(str(child.pid))
while True:
    with contextlib.suppress(OSError), socket.create_connection((server.hostname, server.port), 1) as connection:
        connection.sendall(b'CONNECT {"verbose":false}\r\n')
        while True:
            beat(connection)
            time.sleep(0.05)
    time.sleep(0.05)
