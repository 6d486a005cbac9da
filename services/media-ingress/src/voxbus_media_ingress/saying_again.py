"""Says again what a worker could not hear that was cut off from the bus: the stream may have been cut off with it."""

from collections.abc import Callable, Iterable
from typing import Final

from voxbus_contracts.config import WorkerBack
from voxbus_media_ingress.alarm import Alarm, now_ms
from voxbus_media_ingress.publisher import Publisher

_TOGETHER_MS: Final = 250.0
"""Workers that hung on the same server come back one soon after the other: they are told together."""
_MARGIN_MS: Final = 500.0
"""Twice the pause between two heartbeats, by which workers know how long they were deaf."""
_AT_MOST_MS: Final = 10_000.0


class SayingAgain:
    """Hears of workers that are back, and has the publishers of this moment say what those missed.

    `resend` says the events again that are not stored yet.
    """

    def __init__(self, publishers: Callable[[], Iterable[Publisher]], resend: Callable[[], None]) -> None:
        self._publishers = publishers
        self._resend = resend
        self._missed_ms = 0.0
        self._alarm = Alarm(lambda _: self._say())

    def on_back(self, _subject: str, _headers: dict[str, str] | None, payload: bytes) -> None:
        """A message of WORKERS_BACK."""
        deaf_ms = WorkerBack.model_validate_json(payload).deaf_ms
        self._missed_ms = max(self._missed_ms, min(_AT_MOST_MS, deaf_ms + _MARGIN_MS))
        self._alarm.set(now_ms() + _TOGETHER_MS)

    def stop(self) -> None:
        self._alarm.stop()

    def _say(self) -> None:
        missed_ms, self._missed_ms = self._missed_ms, 0.0
        for publisher in self._publishers():
            publisher.say_again(missed_ms + _TOGETHER_MS)
        self._resend()
