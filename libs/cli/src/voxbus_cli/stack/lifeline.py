"""Whose death a process follows, and whose orphans it takes in: prctl(2)."""

import ctypes
import os
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """The kernel kills the calling process when its parent dies; at once where `parent` is not its parent any more."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def take_in_orphans(*, on: bool = True) -> bool:
    """Processes below the calling one become its children when their parents die. False: this system cannot."""
    return bool(_LIBC.prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) == 0)


def bury(group: int) -> bool:
    """Reaps the dead of a process group that were taken in. False: some still live."""
    try:
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False
