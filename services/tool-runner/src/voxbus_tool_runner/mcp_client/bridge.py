"""The SDK's HTTP through our guarded client: it brings an httpx of its own, which must not open a connection here."""

from collections.abc import AsyncIterator, Mapping

import httpx
import httpx2

from voxbus_runtime.errors import AddressRefused
from voxbus_tool_runner.errors import BadAnswer

_NOT_PASSED = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


class GuardedBridge(httpx2.AsyncBaseTransport):
    """One session's requests. `problem` is why one of them failed, which the SDK does not always hand on."""

    def __init__(self, client: httpx.AsyncClient, max_bytes: int) -> None:
        self._client = client
        self._left_bytes = self._max_bytes = max_bytes
        self.problem: Exception | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises httpx2.ConnectError for everything that is wrong with the way there."""
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _NOT_PASSED]
        content = await request.aread()
        asked = self._client.build_request(request.method, str(request.url), headers=headers, content=content or None)
        try:
            answer = await self._client.send(asked, stream=True, follow_redirects=False)
        except (AddressRefused, httpx.HTTPError, httpx.InvalidURL, OSError) as failed:
            self.problem = failed
            raise httpx2.ConnectError("the server could not be reached", request=request) from None
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _NOT_PASSED]
        return httpx2.Response(answer.status_code, headers=kept, stream=_Answer(self, answer), request=request)

    def count(self, part: bytes) -> None:
        """Raises BadAnswer."""
        self._left_bytes -= len(part)
        if self._left_bytes < 0:
            self.problem = BadAnswer(f"The tool's server answered more than {self._max_bytes} bytes.")
            raise self.problem


class _Answer(httpx2.AsyncByteStream):
    def __init__(self, bridge: GuardedBridge, answer: httpx.Response) -> None:
        self._bridge = bridge
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._answer.aiter_bytes():
                self._bridge.count(part)
                yield part
        except (httpx.HTTPError, OSError) as failed:
            self._bridge.problem = failed
            raise httpx2.ReadError("the answer broke off") from None

    async def aclose(self) -> None:
        await self._answer.aclose()


def bridged(bridge: GuardedBridge, headers: Mapping[str, str]) -> httpx2.AsyncClient:
    """A client of the SDK's kind, whose limits are those of the guarded one."""
    return httpx2.AsyncClient(transport=bridge, headers=dict(headers), timeout=None, trust_env=False)
