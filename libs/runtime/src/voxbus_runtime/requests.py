"""Questions of one service to another: asked until somebody answers, answered side by side."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from pydantic import ValidationError
from structlog.stdlib import BoundLogger

from voxbus_contracts.requests import Answer, Request
from voxbus_contracts.subjects import org_of_request
from voxbus_runtime.errors import NotAnswered

A = TypeVar("A", bound=Answer)

_AGAIN_S: Final = 0.25
_AT_A_TIME: Final = 500
"""Questions; whoever asks beyond that hears nothing, and asks again."""


async def ask(nc: Client, org: str, request: Request, answer: type[A], *, at_most_s: float) -> A:
    """Asks again, whoever is there by then, until `at_most_s` are over. Raises NotAnswered (retryable)."""
    until_s = time.monotonic() + at_most_s
    while (left_s := until_s - time.monotonic()) > 0:
        try:
            told = await nc.request(request.subject(org), request.payload(), timeout=min(left_s, request.within_s))
            return answer.model_validate_json(told.data)
        except (nats.errors.Error, TimeoutError, OSError):
            await asyncio.sleep(max(0.0, min(_AGAIN_S, until_s - time.monotonic())))
        except ValidationError:
            break
    raise NotAnswered(f"nobody answered {request.name()} within {at_most_s:g} s")


class Answering:
    """Answers one kind of question, together with the service's other processes. What cannot be read is left out."""

    def __init__(
        self,
        nc: Client,
        request: type[Request],
        answer: Callable[[str, Any], Awaitable[Answer]],
        log: BoundLogger,
    ) -> None:
        """`answer` is given the organisation and the question; what it raises leaves the question unanswered."""
        self._nc = nc
        self._request = request
        self._answer = answer
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        self._subscription = await self._nc.subscribe(
            self._request.all_subjects(), queue=self._request.consumer, cb=self._on_message
        )

    async def stop(self) -> None:
        """Takes no more; what was taken is answered."""
        if self._subscription is not None:
            with contextlib.suppress(nats.errors.Error):
                await self._subscription.unsubscribe()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _on_message(self, message: Msg) -> None:
        if len(self._tasks) >= _AT_A_TIME:
            return
        task = asyncio.create_task(self._respond(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _respond(self, message: Msg) -> None:
        try:
            org, asked = org_of_request(message.subject), self._request.read(message.data)
        except (ValueError, ValidationError) as wrong:
            self._log.warning("a question cannot be read", question=self._request.name(), problem=type(wrong).__name__)
            return
        try:
            told = await self._answer(org, asked)
            await message.respond(told.payload())
        except Exception as problem:  # noqa: BLE001  # whoever asked asks again
            self._log.error("a question is not answered", question=asked.name(), problem=type(problem).__name__)
