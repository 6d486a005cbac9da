"""A customer's own language model: whatever speaks OpenAI's chat completions at `model.url`.

Source: the public API's custom-llm, for what is added to the body.
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, ClassVar, Final

import httpx

from voxbus_llm_orchestrator.providers.completion_request import completion_body, completions_url, sent_bytes
from voxbus_llm_orchestrator.providers.openai import Question, answer_parts
from voxbus_providers.errors import ProviderRejected, ProviderUnauthorized, ProviderUnavailable
from voxbus_providers.model import LanguageModel, ModelPart, ModelRequest
from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.server_access import UNREACHABLE, UNUSABLE, ServerAccess, TokenRefused, problem_of
from voxbus_runtime.signing import Signed

_METADATA: Final = "metadata"


class CustomLlm(LanguageModel):
    """`model.url` with `model.headers` and the tenant's credential; a header of the assistant's own counts before it.

    The client belongs to the model and is closed with it; it has to be one for customers' addresses. Redirects are
    refused.
    """

    name: ClassVar[str] = "custom-llm"

    def __init__(
        self, client: httpx.AsyncClient, access: ServerAccess | None = None, now_s: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._access = access or ServerAccess(client, None)
        self._now_s = now_s

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelPart, None]:
        """As OpenAiModel.stream; asked once more where its token was refused and a new one may be had."""
        model = request.model
        url = completions_url(model.url) if model.url else None
        body = completion_body(request, "max_tokens")
        content = sent_bytes(self.name, about_the_call(request, int(self._now_s() * 1000)) | body)
        may_renew = True
        while True:
            headers = await self._headers(request, url or "", content)
            question = Question(self.name, url, headers, content, model.timeout_seconds, request.tools)
            try:
                async with aclosing(answer_parts(self._client, question)) as parts:
                    async for part in parts:
                        may_renew = False
                        yield part
                return
            except ProviderUnauthorized:
                if not (may_renew and self._access.renews(request.access.authentication, HTTPStatus.UNAUTHORIZED)):
                    raise
                may_renew = False

    async def _headers(self, request: ModelRequest, url: str, content: bytes) -> dict[str, str]:
        own = {name.lower(): value for name, value in request.model.headers.items()}
        plan = request.access.authentication
        if plan is None:
            key = request.access.api_key
            return ({"authorization": f"Bearer {key}"} if key else {}) | own
        try:
            signed = Signed(url, content, request.call, int(self._now_s() * 1000))
            return await self._access.authentication(plan, signed) | own
        except (TokenRefused, TimeoutError) as fault:
            raise ProviderUnavailable(self.name, _no_way_in(fault)) from None
        except (AddressRefused, *UNUSABLE) as fault:
            raise ProviderRejected(self.name, _no_way_in(fault)) from None
        except UNREACHABLE as fault:
            raise ProviderUnavailable(self.name, _no_way_in(fault)) from None

    async def close(self) -> None:
        await self._client.aclose()


def about_the_call(request: ModelRequest, now_ms: int) -> dict[str, Any]:
    """What `model.metadataSendMode` (off, variable, destructured; default variable) adds to the body.

    Destructured, each field of the metadata stands beside the others; none takes the place of a field of the protocol.
    """
    mode = (request.model.model_extra or {}).get("metadataSendMode", "variable")
    if mode == "off":
        return {}
    call = {"id": request.call, "orgId": request.org} if request.org else {"id": request.call}
    about = {"call": call, **request.access.about}
    metadata = about.pop(_METADATA, None) or {}
    spread = metadata if mode == "destructured" else {_METADATA: metadata} if metadata else {}
    return {**spread, **about, "timestamp": now_ms}


def _no_way_in(fault: Exception) -> str:
    return f"the model's credential: {problem_of(fault)}"
