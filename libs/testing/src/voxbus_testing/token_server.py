"""An authorization server of a customer's: gives a new token, t-1, t-2 and so on, to whoever asks."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(eq=False)
class TokenServer:
    """Use as an async context manager; listens on 127.0.0.1."""

    asked: list[bytes] = field(default_factory=list[bytes])
    """The forms it was sent."""
    _listener: asyncio.Server | None = None

    @property
    def plan(self) -> dict[str, Any]:
        """The authentication plan of a credential whose tokens come from here."""
        assert self._listener is not None
        url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}/token"
        return {"type": "oauth2", "url": url, "clientId": "me", "clientSecret": "hush"}

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._give, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._listener is not None
        self._listener.close()

    async def _give(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if line)
        self.asked.append(await reader.readexactly(int(fields[b"content-length"])))
        body = b'{"access_token":"t-%d","expires_in":3600}' % len(self.asked)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()
