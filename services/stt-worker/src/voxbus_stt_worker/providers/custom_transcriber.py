"""A customer's own recognizer behind a WebSocket: both sides of the call go out, transcripts come back.

Source: the public API's custom transcriber: `{"type":"start",…}`, then binary s16le stereo at 16 kHz, the caller left
and the assistant right; answers are `{"type":"transcriber-response","transcription","channel","transcriptType"}`.
`confidence` and `language` are additions of ours. The protocol knows no end of a stretch: see understanding.py.
"""

import asyncio
from typing import ClassVar, Final

from pydantic import SecretStr
from websockets.asyncio.connection import Connection

from voxbus_contracts.api_model import Server
from voxbus_contracts.config import CallConfig
from voxbus_providers.errors import ProviderRejected, ProviderUnavailable
from voxbus_providers.recognizer import Recognizer, RecognizerCapabilities, RecognizerRequest
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client, tls_context
from voxbus_runtime.outbound_stream import StreamRefused, StreamUnavailable, open_stream
from voxbus_runtime.server_access import UNREACHABLE, UNUSABLE, ServerAccess, TokenRefused, problem_of
from voxbus_runtime.signing import Signed
from voxbus_stt_worker.providers.custom_session import CustomSession

NAME: Final = "custom-transcriber"
_OPEN_S: Final = 5.0
"""The caller speaks meanwhile, so a server's own `timeoutSeconds` only counts below this."""


class CustomTranscriber(Recognizer):
    """One for all calls: each call's session goes to the server of its own transcriber."""

    name: ClassVar[str] = NAME
    capabilities: ClassVar[RecognizerCapabilities] = RecognizerCapabilities(partials=True, listens_always=True)

    def __init__(self, guard: Guard, cluster_key: SecretStr | None) -> None:
        self._guard = guard
        self._cluster_key = cluster_key

    async def start(self) -> None:
        self._tls = await asyncio.to_thread(tls_context)
        self._client = customer_client(self._guard, tls=self._tls)
        self._access = ServerAccess(self._client, self._cluster_key)

    async def open(self, request: RecognizerRequest) -> CustomSession:
        """Connected and started. Raises ProviderRejected for what no second try mends, else ProviderUnavailable."""
        server, config = request.transcriber.server, request.config
        if server is None or not server.url:
            raise ProviderRejected(NAME, "transcriber.server.url is missing")
        within_s = min(_OPEN_S, server.timeout_seconds)
        try:
            async with asyncio.timeout(within_s):
                try:
                    line = await self._connected(server, config, within_s)
                except StreamRefused as refused:
                    plan = config.authentication_of(server) if config else None
                    if not self._access.renews(plan, refused.status):
                        raise
                    line = await self._connected(server, config, within_s)
        except (AddressRefused, StreamRefused, *UNUSABLE) as fault:
            raise ProviderRejected(NAME, _told(fault)) from None
        except (StreamUnavailable, TokenRefused, *UNREACHABLE) as fault:
            raise ProviderUnavailable(NAME, _told(fault)) from None
        return CustomSession(NAME, line)

    async def _connected(self, server: Server, config: CallConfig | None, within_s: float) -> Connection:
        url = server.url or ""
        headers = await self._headers(server, config, url)
        return await open_stream(self._guard, url, headers, tls=self._tls, within_s=within_s)

    async def _headers(self, server: Server, config: CallConfig | None, url: str) -> dict[str, str]:
        call = config.call if config else ""
        plan = config.authentication_of(server) if config else None
        found = await self._access.headers(server, plan, Signed(url, b"", call, unix_ms()))
        return {**found, "x-call-id": call} if call else found

    async def close(self) -> None:
        await self._client.aclose()


def _told(fault: Exception) -> str:
    if isinstance(fault, StreamRefused | StreamUnavailable):
        return f"its server {fault}"
    if isinstance(fault, TimeoutError):
        return "its server did not answer in time"
    return f"its server: {problem_of(fault)}"
