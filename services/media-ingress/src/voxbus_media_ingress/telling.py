"""Keeps the client of one attachment informed, and notices when an answer is late."""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from voxbus_contracts import Message
from voxbus_contracts.config import CallConfig
from voxbus_contracts.told.call_messages import CallMessages
from voxbus_media_ingress.alarm import Alarm, now_ms
from voxbus_runtime.sequencing import LoggedMessage


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


class Teller:
    """Turns what happens into texts for `send`."""

    def __init__(self, messages: CallMessages, send: Callable[[str], None]) -> None:
        self._messages = messages
        self._send = send
        self._hang_alarm = Alarm(self._on_hang_time)

    def learn(self, config: CallConfig) -> None:
        """The call may be handed to more assistants than was known when it began."""
        self._messages.learn(config)

    def restore(self, history: Iterable[LoggedMessage]) -> None:
        """What earlier attachments told already is known, and not told again."""
        for logged in history:
            if logged.message is not None:
                self._messages.on_message(logged.message, logged.envelope.occurred_at_ms)

    def tell(self, message: Message, at_ms: int | None = None) -> None:
        """`at_ms` since the epoch, None = just now."""
        self._send_all(self._messages.on_message(message, unix_ms() if at_ms is None else at_ms))

    def tell_status(self) -> None:
        self._send_all(self._messages.current_status(unix_ms()))

    def tell_waiting(self, missing: list[str]) -> None:
        """The status again, with the stages whose workers have no room yet in a field of our own."""
        self._send_all([{**told, "voxbusWaitingFor": missing} for told in self._messages.current_status(unix_ms())])

    def stop(self) -> None:
        self._hang_alarm.stop()

    def _send_all(self, told: list[dict[str, Any]]) -> None:
        for message in told:
            self._send(json.dumps(message, ensure_ascii=False))
        due_unix_ms = self._messages.hang_due_ms
        if due_unix_ms is not None:
            self._hang_alarm.set(now_ms() + due_unix_ms - unix_ms())

    def _on_hang_time(self, _: float) -> None:
        self._send_all(self._messages.on_time(unix_ms()))
