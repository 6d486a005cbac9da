"""What a person sees while the stack starts and runs: one changing line on a terminal, a line per step elsewhere."""

import shutil
import sys
from collections.abc import Iterable
from typing import Final, TextIO

_CLEAR_LINE: Final = "\r\x1b[K"


class Progress:
    """Writes to standard error; standard output stays for the one line that scripts read."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stderr if out is None else out
        self._is_terminal = self._out.isatty()
        self._has_open_line = False
        self._last_step = ""

    def step(self, text: str) -> None:
        """What is being done now; replaces the step before on a terminal, and is not repeated elsewhere."""
        if text == self._last_step:
            return
        self._last_step = text
        if self._is_terminal:
            # A line that wraps could not be taken away again.
            width = shutil.get_terminal_size().columns - len("   …")
            self._write(f"{_CLEAR_LINE}  {text[:width]} …")
            self._has_open_line = True
        else:
            self._write(f"  {text}\n")

    def note(self, text: str, lines: Iterable[str] = ()) -> None:
        """Something worth keeping on the screen, with the lines that explain it."""
        self.close()
        self._write("".join(f"{line}\n" for line in (f"  {text}", *(f"    | {line}" for line in lines))))

    def close(self) -> None:
        """Takes the changing line away."""
        if self._has_open_line:
            self._write(_CLEAR_LINE)
            self._has_open_line = False

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
