"""Requests to customers' servers: within limits, and every failure in words for the model."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from voxbus_contracts.api_model import BackoffPlan
from voxbus_runtime.errors import AddressRefused, BadSeal
from voxbus_runtime.server_access import CredentialMissing, TokenRefused
from voxbus_runtime.signing import CannotSign
from voxbus_tool_runner.deliveries.lane import Outcome, delay_after, may_be_tried_again
from voxbus_tool_runner.errors import BadAnswer, ServerRefused, ServerTooSlow, ServerUnreachable


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent."""

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content: bytes = b""


class Asker:
    """The client has to be one for customers' addresses; an answer longer than the limit is dropped as it comes."""

    def __init__(self, client: httpx.AsyncClient, max_answer_bytes: int) -> None:
        self._client = client
        self._max_answer_bytes = max_answer_bytes

    async def ask(self, request: Request) -> tuple[int, bytes]:
        """Status and body. Raises BadAnswer, and what `told` turns into a ToolError."""
        body = bytearray()
        async with self._client.stream(
            request.method, request.url, content=request.content or None, headers=dict(request.headers)
        ) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._max_answer_bytes:
                    raise BadAnswer(f"The tool's server answered more than {self._max_answer_bytes} bytes.")
        return response.status_code, bytes(body)


async def asked_as_planned(
    ask: Callable[[], Awaitable[tuple[int, bytes]]], plan: BackoffPlan | None, renews: Callable[[int], bool]
) -> tuple[int, bytes]:
    """The first answer that is none to be tried again after; without a plan the first.

    `renews`: whether a new token may change an answer with this status; then the server is asked once more.
    """
    plan, tried, had_new_token = plan or BackoffPlan(max_retries=0), 0, False
    while True:
        try:
            status, body = await ask()
        except (httpx.TransportError, OSError):
            if tried >= plan.max_retries:
                raise
            status, body = 0, b""
        if not had_new_token and renews(status):
            had_new_token = True
            continue
        tried += 1
        failed = not 200 <= status < 300
        if not failed or tried > plan.max_retries or not may_be_tried_again(Outcome(status, "bad"), plan):
            return status, body
        await asyncio.sleep(delay_after(tried, plan) / 1000)


@contextmanager
def told(timeout_s: float) -> Generator[None]:
    """Whatever goes wrong inside becomes a ToolError that says so without an address or a secret."""
    try:
        yield
    except AddressRefused:
        raise ServerRefused("The tool's server must not be reached from here.") from None
    except (BadSeal, CannotSign):
        raise ServerRefused("The secret for the tool's server cannot be opened.") from None
    except CredentialMissing:
        raise ServerRefused("The credential of the tool is not there, or has no authenticationPlan.") from None
    except TokenRefused:
        raise ServerRefused("The tool's authorization server gave no token.") from None
    except (TimeoutError, httpx.TimeoutException):
        raise ServerTooSlow(f"The tool's server did not answer within {timeout_s:g} seconds.") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError):
        raise ServerUnreachable("The tool's server could not be reached.") from None
