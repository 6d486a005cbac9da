"""OpenAI's chat completions: for OpenAI itself and vendors that speak the same; the exchange is custom_llm.py's too.

Source: OpenAI API reference, chat completions (August 2026).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import ClassVar, Final

import httpx

from voxbus_contracts.tool import Tool
from voxbus_llm_orchestrator.providers.completion import END_CALL, CompletionReader, refusal
from voxbus_llm_orchestrator.providers.completion_request import completion_body, completions_url, sent_bytes
from voxbus_providers.errors import ProviderRejected, ProviderSlow, ProviderUnavailable
from voxbus_providers.model import LanguageModel, ModelPart, ModelRequest
from voxbus_runtime.errors import AddressRefused

_JSON: Final = {"Content-Type": "application/json"}
_LAST_BYTES_S: Final = 0.1
"""How long to wait for the end of the body after `[DONE]`, so that the connection can be used again."""
_ERROR_BODY_S: Final = 2.0
_ERROR_BODY_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True)
class Question:
    """One request to one address; `body` is sent as it is."""

    provider: str
    url: str | None
    headers: Mapping[str, str]
    body: bytes
    timeout_s: float
    tools: tuple[Tool, ...]


class OpenAiModel(LanguageModel):
    """One vendor under the platform's key, or the tenant's own: neither address nor headers are ever the customer's.

    The client belongs to the model and is closed with it.
    """

    name: ClassVar[str] = "openai"

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        api_key: str,
        provider: str = "openai",
        limit_field: str = "max_tokens",
    ) -> None:
        self._client = client
        self._url = completions_url(base_url)
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._provider = provider
        self._limit_field = limit_field

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """Text as it comes, then tool calls, end of call, usage.

        The first token must come within `model.timeout_seconds`, all that follows with no longer gaps than that.
        Raises ProviderError, mostly once iterated.
        """
        body = completion_body(request, self._limit_field) | {"stream_options": {"include_usage": True}}
        timeout_s = request.model.timeout_seconds
        own = request.access.api_key
        headers = {"Authorization": f"Bearer {own}"} if own else self._headers
        question = Question(
            self._provider, self._url, headers, sent_bytes(self._provider, body), timeout_s, request.tools
        )
        return answer_parts(self._client, question)

    async def close(self) -> None:
        await self._client.aclose()


async def answer_parts(client: httpx.AsyncClient, question: Question) -> AsyncGenerator[ModelPart, None]:
    """One request and its answer; closing the generator aborts the request. Raises ProviderError."""
    end_call_names = frozenset({END_CALL, *(tool.name for tool in question.tools if tool.type == END_CALL)})
    reader = CompletionReader(question.provider, end_call_names)
    exchange = _Exchange(client, question)
    try:
        await exchange.open()
        while (chunk := await exchange.read()) is not None:
            for part in reader.push(chunk):
                yield part
            if reader.has_begun:
                exchange.has_begun()
            if reader.is_done:
                break
        for part in reader.finish():
            yield part
        await exchange.read_rest()
    finally:
        await exchange.close()


class _Exchange:
    """One request and its answer over HTTP; vendor and network errors become ProviderErrors here."""

    def __init__(self, client: httpx.AsyncClient, question: Question) -> None:
        self._client = client
        self._question = question
        self._provider = question.provider
        self._late = "no first token"
        self._deadline_s = 0.0
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None

    async def open(self) -> None:
        """Sends the question; the clock of the first token starts."""
        self._renew()
        request = self._request()
        with self._translated():
            async with asyncio.timeout_at(self._deadline_s):
                self._response = await self._client.send(request, stream=True, follow_redirects=False)
        if not self._response.is_success:
            raise refusal(self._provider, self._response.status_code, await self._error_body(self._response))
        self._chunks = self._response.aiter_bytes()

    async def read(self) -> bytes | None:
        """Some bytes of the answer, None at its end."""
        assert self._chunks is not None
        with self._translated():
            async with asyncio.timeout_at(self._deadline_s):
                return await anext(self._chunks, None)

    def has_begun(self) -> None:
        """From here on the answer may be as late again, and again."""
        self._late = "nothing more"
        self._renew()

    async def read_rest(self) -> None:
        """Gives the connection back to the pool, if the server ends the body."""
        with suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(_LAST_BYTES_S):
                while self._chunks is not None and await anext(self._chunks, None) is not None:
                    pass

    async def close(self) -> None:
        """Aborts the request when the answer is not complete."""
        if self._response is not None:
            await self._response.aclose()

    def _renew(self) -> None:
        self._deadline_s = asyncio.get_running_loop().time() + self._question.timeout_s

    def _request(self) -> httpx.Request:
        url = self._question.url
        if not url:
            raise ProviderRejected(self._provider, "model.url is missing")
        if not url.lower().startswith(("http://", "https://")):
            raise ProviderRejected(self._provider, "model.url is no http or https address")
        headers = {**_JSON, **self._question.headers}
        if any(name.lower() == "content-type" for name in self._question.headers):
            del headers["Content-Type"]
        try:
            return self._client.build_request("POST", url, headers=headers, content=self._question.body, timeout=None)
        except (httpx.InvalidURL, ValueError) as wrong:
            raise ProviderRejected(self._provider, f"the request cannot be sent: {type(wrong).__name__}") from None

    async def _error_body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        with suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(_ERROR_BODY_S):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _ERROR_BODY_BYTES:
                        break
        return bytes(body)

    @contextmanager
    def _translated(self) -> Generator[None, None, None]:
        """Texts of network errors may hold addresses with keys in them: only their kind is told."""
        try:
            yield
        except TimeoutError:
            detail = f"{self._late} within {self._question.timeout_s:g} s"
            raise ProviderSlow(self._provider, detail) from None
        except AddressRefused:
            raise ProviderRejected(self._provider, "model.url must not be reached from here") from None
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as wrong:
            raise ProviderRejected(self._provider, f"the request cannot be sent: {type(wrong).__name__}") from None
        except httpx.RequestError as wrong:
            raise ProviderUnavailable(self._provider, f"the connection failed: {type(wrong).__name__}") from None
