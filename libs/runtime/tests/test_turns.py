"""Short turns as the kernel has them: asked for by a process, kept through exec, left to children only when wanted."""

import os
import platform
import subprocess
import sys

import pytest

from voxbus_runtime.turns import SHORT_TURN_US, take_short_turns

_GET = {"x86_64": 315, "aarch64": 275}
_ASK = f"""
import ctypes, struct
room = ctypes.create_string_buffer(48)
ctypes.CDLL(None).syscall({_GET.get(platform.machine(), 0)}, 0, room, 48, 0)
print(struct.unpack("=IIQiIQQQ", room.raw)[5] // 1_000)
"""


def kernel_has_slices() -> bool:
    release = tuple(int(part) for part in platform.release().split(".")[:2])
    return platform.system() == "Linux" and platform.machine() in _GET and release >= (6, 12)


def may_go_first() -> bool:
    """Tried by a process of its own: niceness, once it was raised, stays."""
    code = "import os; os.setpriority(os.PRIO_PROCESS, 0, -15)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


needs_slices = pytest.mark.skipif(not kernel_has_slices(), reason="Linux 6.12 or newer is needed")


def slice_of_a_process_that(*, with_children: bool) -> tuple[int, int]:
    """A fresh Python that takes short turns → its own slice and that of a child of its, us."""
    code = (
        "from voxbus_runtime.turns import take_short_turns\n"
        "import subprocess, sys\n"
        f"took = take_short_turns({SHORT_TURN_US}, with_children={with_children})\n"
        "assert took\n" + _ASK + f"print(subprocess.check_output([sys.executable, '-c', {_ASK!r}], text=True))\n"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60).split()
    return int(told[0]), int(told[1])


@needs_slices
def test_a_process_that_asks_for_short_turns_has_them_and_its_children_do_not() -> None:
    own, childs = slice_of_a_process_that(with_children=False)
    assert own == SHORT_TURN_US
    assert childs != SHORT_TURN_US


@needs_slices
def test_children_have_them_too_when_that_is_wanted() -> None:
    assert slice_of_a_process_that(with_children=True) == (SHORT_TURN_US, SHORT_TURN_US)


def nicenesses_of_a_process_that_asks(before: str) -> tuple[int, int]:
    """A fresh Python that asks for -15 after it ran `before` → its own niceness and that of a child of its."""
    code = (
        "from voxbus_runtime.turns import take_short_turns\n"
        f"import os, subprocess, sys\n{before}\n"
        f"assert take_short_turns({SHORT_TURN_US}, niceness=-15)\n"
        "child = os.fork()\n"
        "if child: os.waitpid(child, 0)\n"
        "print(os.getpriority(os.PRIO_PROCESS, 0), flush=True)\n"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60).split()
    return int(told[1]), int(told[0])


@needs_slices
@pytest.mark.skipif(not may_go_first(), reason="this user may not lower its niceness")
def test_who_may_goes_first_but_its_children_do_not() -> None:
    assert nicenesses_of_a_process_that_asks("os.setpriority(os.PRIO_PROCESS, 0, 0)") == (-15, 0)


@needs_slices
def test_who_may_not_go_first_has_short_turns_all_the_same() -> None:
    gives_up = (
        "os.setpriority(os.PRIO_PROCESS, 0, 0)\n"
        "import resource\nresource.setrlimit(resource.RLIMIT_NICE, (0, 0))\n"
        "if os.getuid() == 0: os.setresuid(65534, 65534, 65534)"
    )
    assert nicenesses_of_a_process_that_asks(gives_up) == (0, 0)


@needs_slices
def test_a_stack_that_was_started_with_a_niceness_keeps_it() -> None:
    assert nicenesses_of_a_process_that_asks("os.setpriority(os.PRIO_PROCESS, 0, 5)") == (5, 5)


def test_nothing_is_asked_for_by_zero_and_niceness_stays_as_it_is() -> None:
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    assert not take_short_turns(0)
    assert os.getpriority(os.PRIO_PROCESS, 0) == niceness
