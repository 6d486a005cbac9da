"""The customer's own endpointing server: a POST with the conversation, an answer in seconds."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from voxbus_contracts import CallRef
from voxbus_contracts.api_model import Server
from voxbus_contracts.assistant import Assistant
from voxbus_runtime.errors import AddressRefused

DEADLINE_S: Final = 1.0
"""The caller is silent meanwhile, so a server's own `timeoutSeconds` only counts below this."""

LONGEST_ANSWER_BYTES: Final = 10_000
LONGEST_TIMEOUT_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Advice:
    """What came of asking about a transcript: a wait, ms, or why there is none."""

    transcript_seq: int
    wait_ms: int | None = None
    problem: str = ""


class EndpointingServer:
    """Asks; never raises. The client has to be one for customers' addresses."""

    def __init__(self, client: httpx.AsyncClient, now_s: Callable[[], float] = time.time) -> None:
        self._client = client
        self._now_s = now_s

    async def ask(
        self, assistant: Assistant, ref: CallRef, transcript_seq: int, messages: list[dict[str, str]]
    ) -> Advice:
        """`{"timeoutSeconds": 0.5}` → 500 ms. A problem is told without the address and the answer."""
        server = server_of(assistant)
        body = {
            "message": {
                "type": "call.endpointing.request",
                "timestamp": int(self._now_s() * 1000),
                "messagesOpenAIFormatted": messages,
                "call": {"id": ref.call, "orgId": ref.org},
            }
        }
        try:
            async with asyncio.timeout(min(DEADLINE_S, server.timeout_seconds)):
                return Advice(transcript_seq, wait_ms=read_wait(*await self._post(server, body)))
        except TimeoutError:
            problem = f"no answer within {DEADLINE_S:g} s"
        except AddressRefused:
            problem = "it must not be reached from here"
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as failed:
            problem = f"it could not be reached: {type(failed).__name__}"
        except ValueError as wrong:
            problem = str(wrong)
        return Advice(transcript_seq, problem=problem)

    async def _post(self, server: Server, body: dict[str, Any]) -> tuple[int, bytes]:
        secret = {"x-vapi-secret": server.secret} if server.secret else {}
        headers = {**server.headers, **secret}
        request = self._client.build_request("POST", server.url or "", json=body, headers=headers, timeout=None)
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            answer = bytearray()
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > LONGEST_ANSWER_BYTES:
                    raise ValueError(f"it answered more than {LONGEST_ANSWER_BYTES} bytes")
            return response.status_code, bytes(answer)
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._client.aclose()


def server_of(assistant: Assistant) -> Server:
    """The plan's server, else the assistant's."""
    smart = assistant.start_speaking_plan.smart
    own = smart.server if smart else None
    return own if own and own.url else assistant.server or Server()


def read_wait(status: int, body: bytes) -> int:
    """ms; raises ValueError with a text that quotes nothing of the answer."""
    if status not in (200, 201):
        raise ValueError(f"it answered with status {status}")
    try:
        answer = json.loads(body)
    except ValueError:
        raise ValueError("it did not answer in JSON") from None
    seconds = answer.get("timeoutSeconds") if isinstance(answer, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ValueError("its answer has no number timeoutSeconds")  # noqa: TRY004 - told like any bad answer
    if not 0 <= seconds <= LONGEST_TIMEOUT_S:
        raise ValueError(f"its timeoutSeconds is not between 0 and {LONGEST_TIMEOUT_S:g}")
    return round(seconds * 1000)
