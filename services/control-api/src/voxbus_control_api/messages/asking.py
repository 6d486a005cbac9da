"""Asks a customer's server and waits for its answer: within a deadline, through the guard, with its credentials."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from voxbus_contracts.api_model import Server
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.server_access import UNREACHABLE, UNUSABLE, ServerAccess, TokenRefused, problem_of
from voxbus_runtime.signing import Signed

Json = dict[str, Any]

_LONGEST_ANSWER: Final = 1_048_576


class NoAnswer(Exception):
    """There is no answer to go by; the text says why, without addresses. `status` 0 = the server said nothing."""

    def __init__(self, problem: str, status: int = 0) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True, slots=True)
class Question:
    """A server message that needs an answer. `authentication` may be sealed; `id` is the same for each try."""

    server: Server
    authentication: Mapping[str, Any] | None
    message: Json
    call: str
    id: str
    within_s: float


class ServerAsker:
    """One per process. The client has to be one for customers' addresses."""

    def __init__(self, client: httpx.AsyncClient, access: ServerAccess, now_ms: Callable[[], int] = unix_ms) -> None:
        self._client = client
        self._access = access
        self._now_ms = now_ms

    async def ask(self, question: Question) -> Json:
        """The object the server answers with status 2xx. Raises NoAnswer."""
        url = question.server.url
        if not url:
            raise NoAnswer("there is no server to ask")
        within_s = min(question.within_s, question.server.timeout_seconds)
        try:
            async with asyncio.timeout(within_s):
                status, body = await self._post(url, question)
                if self._access.renews(question.authentication, status):
                    status, body = await self._post(url, question)
        except (TimeoutError, httpx.TimeoutException):
            raise NoAnswer(f"the server did not answer within {within_s:g} seconds") from None
        except (AddressRefused, TokenRefused, *UNUSABLE, *UNREACHABLE) as fault:
            raise NoAnswer(f"the server gave no answer: {problem_of(fault)}") from None
        return _read(status, body)

    async def _post(self, url: str, question: Question) -> tuple[int, bytes]:
        body = json.dumps({"message": question.message}, ensure_ascii=False).encode()
        signed = Signed(url, body, question.id, self._now_ms())
        headers = await self._access.headers(question.server, question.authentication, signed)
        headers |= {"content-type": "application/json", "x-call-id": question.call, "idempotency-key": question.id}
        answer = bytearray()
        async with self._client.stream("POST", url, content=body, headers=headers) as response:
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > _LONGEST_ANSWER:
                    raise NoAnswer("the server answered too much", response.status_code)
            return response.status_code, bytes(answer)


def _read(status: int, body: bytes) -> Json:
    if not 200 <= status < 300:
        raise NoAnswer(f"the server answered with status {status}", status)
    try:
        found = json.loads(body)
    except ValueError:
        raise NoAnswer("the server did not answer in JSON", status) from None
    if not isinstance(found, dict):
        raise NoAnswer("the server did not answer with an object", status)
    return found
