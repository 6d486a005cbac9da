"""`python -m voxbus_cli.stack.starting voxbus_vad` runs a service as `python -m voxbus_vad` does, but considerately.

Reading its modules takes a core for one to four seconds. Where another process of the same service serves meanwhile,
nobody waits for this one, while the frames of the calls on this machine wait for a core: the modules are then loaded by
a thread whose niceness is VOXBUS_START_NICENESS. The process itself keeps its own: niceness, once it was raised, cannot
be lowered again without privileges. Linux gives every thread a niceness of its own: sched(7), nice(2).
"""

import contextlib
import importlib
import os
import runpy
import sys
import threading
from typing import Final

from setproctitle import setproctitle

NICENESS: Final = "VOXBUS_START_NICENESS"
CONSIDERATE: Final = "15"
"""What a process gets that others need not wait for."""

_PARTS: Final = ("settings", "wiring")
"""What a service's `__main__` imports, besides the runtime."""


def load(service: str, niceness: int) -> None:
    """Imports what the service will, with `niceness`. What cannot be imported the service says, when it tries."""

    def import_all() -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
        # Whatever an import may raise: the service's own comes again, in the main thread.
        with contextlib.suppress(Exception):
            for part in ("voxbus_runtime.service", *(f"{service}.{part}" for part in _PARTS)):
                importlib.import_module(part)

    loading = threading.Thread(target=import_all, name="imports")
    loading.start()
    loading.join()


def main() -> None:
    """Loads and runs the service that is named; `ps` shows it and its worker."""
    service = sys.argv[1]
    setproctitle(" ".join((service, os.environ.get("VOXBUS_WORKER_ID", ""))).rstrip())
    if niceness := int(os.environ.get(NICENESS, "0")):
        load(service, niceness)
    sys.argv[:] = [service, *sys.argv[2:]]
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
