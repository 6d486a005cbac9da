"""A question to a customer's own server while a call goes on: a POST, a short answer in JSON, within a limit."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx

from voxbus_contracts.api_model import Server
from voxbus_contracts.config import CallConfig
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.server_access import UNREACHABLE, UNUSABLE, ServerAccess, TokenRefused, problem_of
from voxbus_runtime.signing import Signed


class NoAnswer(Exception):
    """Why there is none, in words that quote neither the address nor the answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """`message` is what is asked; `key` names this question among those of the call."""

    message: dict[str, Any]
    key: str
    within_s: float
    most_bytes: int


class CustomersServer:
    """The client has to be one for customers' addresses."""

    def __init__(self, client: httpx.AsyncClient, access: ServerAccess) -> None:
        self._client = client
        self._access = access

    async def answer(self, config: CallConfig, server: Server, question: Question) -> Any:
        """The JSON it answered with 200 or 201. Raises NoAnswer."""
        body = json.dumps({"message": question.message}, ensure_ascii=False).encode()
        try:
            async with asyncio.timeout(question.within_s):
                status, answer = await self._post(config, server, body, question)
                if self._access.renews(config.authentication_of(server), status):
                    status, answer = await self._post(config, server, body, question)
        except TimeoutError:
            raise NoAnswer(f"no answer within {question.within_s:g} s") from None
        except (AddressRefused, TokenRefused, *UNUSABLE, *UNREACHABLE) as fault:
            raise NoAnswer(problem_of(fault)) from None
        if status not in (200, 201):
            raise NoAnswer(f"it answered with status {status}")
        try:
            return json.loads(answer)
        except ValueError:
            raise NoAnswer("it did not answer in JSON") from None

    async def _post(self, config: CallConfig, server: Server, body: bytes, question: Question) -> tuple[int, bytes]:
        url = server.url or ""
        signed = Signed(url, body, f"{config.call}.{question.key}", unix_ms())
        headers = await self._access.headers(server, config.authentication_of(server), signed)
        fixed = {"content-type": "application/json", "x-call-id": config.call}
        request = self._client.build_request("POST", url, content=body, headers=headers | fixed, timeout=None)
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            answer = bytearray()
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > question.most_bytes:
                    raise NoAnswer(f"it answered more than {question.most_bytes} bytes")
            return response.status_code, bytes(answer)
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._client.aclose()
