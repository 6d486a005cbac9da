"""What is given back in large pieces leaves the process, whatever small ones lie between them."""

import subprocess
import sys

import pytest

_LIFE = """
from voxbus_runtime.heap import give_large_pieces_back

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) // 1024

assert give_large_pieces_back()
bytearray(8 << 20)  # given back at once: the C library now believes that pieces of 8 MB come and go
before = resident()
large, small = [], []
for _ in range(60):
    large.append(bytearray(1 << 20))
    small.append(bytearray(4_000))
held = resident()
del large
print(held - before, resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_large_pieces_leave_the_process_when_they_are_given_back() -> None:
    """glibc on its own keeps nearly all of them here."""
    done = subprocess.run([sys.executable, "-c", _LIFE], capture_output=True, text=True, timeout=60, check=True)
    held_mb, left_mb = map(int, done.stdout.split())
    assert held_mb >= 55
    assert left_mb <= 5
