"""A customer's own voice: text goes out as a `voice-request`, the answer's bytes are sound and are played as they come.

Source: the public API's custom voice: mono s16le without a header at exactly `sampleRate`; `voiceId` and `speed` are
additions of ours. Each sentence is one request.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, ClassVar, Final

import httpx
from pydantic import SecretStr

from voxbus_audio import SAMPLE_RATE_HZ, StreamResampler
from voxbus_contracts.assistant import Voice as VoiceSettings
from voxbus_contracts.config import CallConfig
from voxbus_contracts.told.shapes import told_call, whole_assistant
from voxbus_providers.errors import ProviderError, ProviderRejected, ProviderUnavailable
from voxbus_providers.voice import Voice, VoiceCapabilities, VoiceChunk, VoiceRequest
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client, tls_context
from voxbus_runtime.server_access import UNREACHABLE, UNUSABLE, ServerAccess, TokenRefused, problem_of
from voxbus_runtime.signing import Signed

NAME: Final = "custom-voice"
LONGEST_S: Final = 120
"""No sentence is longer; a server that sends more is broken."""
_WORTH_A_RETRY: Final = frozenset({408, 409, 425, 429})
_NO_SOUND: Final = ("application/json", "text/", "application/xml", "application/xhtml")


class CustomVoice(Voice):
    """One for all calls: each sentence goes to the server of its own voice."""

    name: ClassVar[str] = NAME
    capabilities: ClassVar[VoiceCapabilities] = VoiceCapabilities()

    def __init__(self, guard: Guard, cluster_key: SecretStr | None) -> None:
        self._guard = guard
        self._cluster_key = cluster_key

    async def start(self) -> None:
        self._client = customer_client(self._guard, tls=await asyncio.to_thread(tls_context))
        self._access = ServerAccess(self._client, self._cluster_key)

    async def synthesize(self, request: VoiceRequest) -> AsyncIterator[VoiceChunk]:
        """Raises ProviderRejected for what no second try mends, else ProviderUnavailable; quotes nothing of an answer.

        Closing it aborts the request.
        """
        settings, config = request.settings, request.config
        if settings is None or config is None or settings.server is None or not settings.server.url:
            raise ProviderRejected(NAME, "voice.server.url is missing")
        if not any(mark.isalnum() for mark in request.text):
            return
        try:
            response = await self._answered(request, settings, config)
            async with aclosing(_sound(response, settings.sample_rate)) as sound:
                async for pcm in sound:
                    yield VoiceChunk(pcm)
        except ProviderError:
            raise
        except (AddressRefused, *UNUSABLE) as fault:
            raise ProviderRejected(NAME, f"its server: {problem_of(fault)}") from None
        except (TokenRefused, *UNREACHABLE) as fault:
            raise ProviderUnavailable(NAME, f"its server: {problem_of(fault)}") from None

    async def _answered(self, request: VoiceRequest, settings: VoiceSettings, config: CallConfig) -> httpx.Response:
        """Its answer, unread; asked once more where its token was refused and a new one may be had."""
        assert settings.server is not None
        response = await self._sent(await self._asked(request, settings, config))
        if self._access.renews(config.authentication_of(settings.server), response.status_code):
            await response.aclose()
            response = await self._sent(await self._asked(request, settings, config))
        return response

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        return await self._client.send(request, stream=True, follow_redirects=False)

    async def _asked(self, request: VoiceRequest, settings: VoiceSettings, config: CallConfig) -> httpx.Request:
        server, now_ms = settings.server, unix_ms()
        assert server is not None
        message = {
            "type": "voice-request",
            "text": request.text,
            "sampleRate": settings.sample_rate,
            "voiceId": request.voice_id,
            "speed": request.speed,
            "timestamp": now_ms,
            **about(config),
        }
        body = json.dumps({"message": message}, ensure_ascii=False).encode()
        signed = Signed(server.url or "", body, f"{config.call}.{now_ms}", now_ms)
        headers = await self._access.headers(server, config.authentication_of(server), signed)
        fixed = {"content-type": "application/json", "user-agent": "voxbus-tts-worker", "x-call-id": config.call}
        return self._client.build_request("POST", server.url or "", content=body, headers=headers | fixed, timeout=None)

    async def close(self) -> None:
        await self._client.aclose()


async def _sound(response: httpx.Response, rate_hz: int) -> AsyncGenerator[bytes, None]:
    """Mono s16le 16 kHz, as it comes; closes the answer."""
    try:
        _check(response)
        resampler, odd, left_bytes = StreamResampler(rate_hz, SAMPLE_RATE_HZ), b"", 2 * rate_hz * LONGEST_S
        async for chunk in response.aiter_bytes():
            left_bytes -= len(chunk)
            if left_bytes < 0:
                raise ProviderRejected(NAME, f"its server sent more than {LONGEST_S} s of sound for a sentence")
            whole = odd + chunk
            odd = whole[len(whole) & ~1 :]
            if pcm := resampler.push(whole[: len(whole) & ~1]):
                yield pcm
        if left_bytes == 2 * rate_hz * LONGEST_S:
            raise ProviderUnavailable(NAME, "its server answered without sound")
        if pcm := resampler.flush():
            yield pcm
    finally:
        await response.aclose()


def about(config: CallConfig) -> dict[str, Any]:
    """What the server is told of the call, beside the text."""
    told = {
        "call": told_call(config, "in-progress"),
        "assistant": whole_assistant(config),
        "customer": config.variables.get("customer"),
    }
    return {name: value for name, value in told.items() if value is not None}


def _check(response: httpx.Response) -> None:
    status = response.status_code
    if status in _WORTH_A_RETRY or status >= 500:
        raise ProviderUnavailable(NAME, f"its server answered {status}")
    if not response.is_success:
        raise ProviderRejected(NAME, f"its server answered {status}")
    if response.headers.get("content-type", "").lower().startswith(_NO_SOUND):
        raise ProviderRejected(NAME, "its server answered with text and not with sound")
