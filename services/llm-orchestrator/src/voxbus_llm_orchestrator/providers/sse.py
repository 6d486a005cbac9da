"""Server-sent events, as far as model vendors use them: the text of the `data` fields, one string per event.

Source: WHATWG HTML, section "Server-sent events". Different from there: an event that the end of the stream leaves
without its empty line still counts, since small servers forget it.
"""

import re

_LINE_END = re.compile(r"\r\n|\r|\n")


class EventStream:
    """Takes the stream in pieces cut anywhere. Comments and all other fields are skipped."""

    def __init__(self) -> None:
        self._line = ""
        self._data: list[str] = []
        self._ended_in_cr = False
        self._held = 0

    @property
    def held_characters(self) -> int:
        """How much of an unfinished event waits here."""
        return self._held + len(self._line)

    def push(self, text: str) -> list[str]:
        """The events completed by `text`."""
        if not text:
            return []
        if self._ended_in_cr and text.startswith("\n"):
            text = text[1:]
            self._ended_in_cr = False
        if text:
            self._ended_in_cr = text.endswith("\r")
        *lines, self._line = _LINE_END.split(self._line + text)
        return [event for line in lines if (event := self._take(line)) is not None]

    def finish(self) -> list[str]:
        """The event that the stream ended in, if any."""
        line, self._line = self._line, ""
        events = [self._take(line), self._take("")]
        return [event for event in events if event is not None]

    def _take(self, line: str) -> str | None:
        if not line:
            event = "\n".join(self._data) if self._data else None
            self._data, self._held = [], 0
            return event
        name, _, value = line.partition(":")
        if name == "data":
            self._data.append(value.removeprefix(" "))
            self._held += len(value)
        return None
