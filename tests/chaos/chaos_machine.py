"""Whether the machine itself stood still: then nobody can tell what a fault did, and the trial is counted apart."""

import bisect
import subprocess
import sys
import threading
from typing import Final

from voxbus_testing.caller import HELD_UP_MS

_WATCHING: Final = """
import time
while True:
    before_s = time.monotonic()
    time.sleep(0.01)
    late_ms = (time.monotonic() - before_s - 0.01) * 1000
    if late_ms > %f:
        print(f"{before_s} {late_ms}", flush=True)
"""


class Machine:
    """A process of its own that only sleeps and says when it was woken late. Times in s on the monotonic clock."""

    def __init__(self) -> None:
        self._began_s: list[float] = []
        self._late_ms: list[float] = []
        command = [sys.executable, "-S", "-c", _WATCHING % HELD_UP_MS]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def stood_still(self, from_s: float, until_s: float) -> bool:
        """For longer than a caller's pause, at some time between the two."""
        first = max(0, bisect.bisect_left(self._began_s, from_s) - 1)
        pairs = zip(self._began_s[first:], self._late_ms[first:], strict=False)
        return any(began < until_s and began + late_ms / 1_000 > from_s for began, late_ms in pairs)

    @property
    def standstills(self) -> int:
        return len(self._began_s)

    @property
    def longest_ms(self) -> float:
        return max(self._late_ms, default=0.0)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(5)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                began_s, late_ms = line.split()
                self._late_ms.append(float(late_ms))
                self._began_s.append(float(began_s))
