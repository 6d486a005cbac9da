"""Short turns on the processor: what makes a busy machine let a process in soon that has little to do, but often.

Linux 6.12 and newer schedule by deadlines, which lie as far away as a process wants to run at a time (EEVDF): who asks
for little is let in first, but not ahead of its share of the processor. See sched_setattr(2), sched_runtime. Where the
system lets a process (root, CAP_SYS_NICE, LimitNICE= of systemd), a niceness below 0 makes that share larger.
Measured November 2026 on 2 cores, 20 calls: caller frames reach the vad in 7.5 ms at the 99th percentile instead of 10
by short turns, and in 5 with a niceness of -15 as well.
"""

import ctypes
import os
import platform
import struct
from typing import Final

SHORT_TURN_US: Final = 100
"""The shortest that the kernel grants; a frame takes about as much."""

_SYSCALL: Final = {"x86_64": 314, "aarch64": 274}
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")
"""struct sched_attr, first version: size, policy, flags, nice, priority, runtime, deadline, period."""
_RESET_ON_FORK: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def take_short_turns(slice_us: int, *, niceness: int = 0, with_children: bool = False) -> bool:
    """Asks for turns of `slice_us` for the calling thread; 0 asks for nothing.

    Its niceness becomes `niceness` where that is allowed and nobody has set a higher one on purpose. Child processes
    and further threads get both only `with_children`. False = this system has no such thing.
    """
    number = _SYSCALL.get(platform.machine())
    if not slice_us or number is None or platform.system() != "Linux":
        return False
    own = os.getpriority(os.PRIO_PROCESS, 0)
    flags = 0 if with_children else _RESET_ON_FORK
    for nice in (min(own, niceness) if own <= 0 else own, own):
        wanted = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, flags, nice, 0, slice_us * 1_000, 0, 0)
        if _LIBC.syscall(number, 0, wanted, 0) == 0:
            return True
    return False
