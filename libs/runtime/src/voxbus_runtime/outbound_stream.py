"""WebSockets to customers' addresses, through the same guard as every request: judged once, and that address used.

`Host` and the certificate's name stay the customer's; redirects and proxies are not followed.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, InvalidURI, WebSocketException
from websockets.uri import WebSocketURI, parse_uri

from voxbus_runtime.errors import RuntimeFault
from voxbus_runtime.guard import Guard

LONGEST_MESSAGE_BYTES: Final = 256 * 1024
"""A longer message closes the connection (code 1009)."""
_CLOSE_S: Final = 1.0
_TRIED_AT_MOST: Final = 4
_AGAIN: Final = frozenset({408, 425, 429})
_SAME_AS: Final = {"ws": "http", "wss": "https"}
_SPELLED: Final = {"https://": "wss://", "http://": "ws://"}


class StreamRefused(RuntimeFault):
    """The server answered, and not with a WebSocket; the text quotes nothing of it. `status` of HTTP, 0 = none."""

    code = "stream-refused"

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class StreamUnavailable(RuntimeFault):
    """Nobody answered, or somebody who may have better luck next time."""

    code = "stream-unavailable"
    retryable = True


async def open_stream(
    guard: Guard, url: str, headers: Mapping[str, str], *, tls: ssl.SSLContext, within_s: float = 10.0
) -> ClientConnection:
    """Open; `http(s)://` counts as `ws(s)://`. Raises AddressRefused, StreamRefused and StreamUnavailable.

    Messages come in as they are sent, 256 KiB at most and never packed.
    """
    try:
        async with asyncio.timeout(within_s):
            return await _opened(guard, url, headers, tls)
    except TimeoutError:
        raise StreamUnavailable(f"no connection within {within_s:g} s") from None
    except InvalidStatus as answered:
        status = answered.response.status_code
        if status in _AGAIN or status >= 500:
            raise StreamUnavailable(f"answered {status}") from None
        raise StreamRefused(f"answered {status}", status) from None
    except (InvalidURI, UnicodeError, ValueError):
        raise StreamRefused("the address is none of a WebSocket, or it points elsewhere") from None
    except (WebSocketException, OSError, EOFError) as failed:
        raise StreamUnavailable(f"the connection failed: {type(failed).__name__}") from None


async def _opened(guard: Guard, url: str, headers: Mapping[str, str], tls: ssl.SSLContext) -> ClientConnection:
    for spelled, meant in _SPELLED.items():
        url = meant + url[len(spelled) :] if url.lower().startswith(spelled) else url
    guard.check_spelling(_SAME_AS.get(url.partition(":")[0].lower(), url.partition(":")[0].lower()), _host_in(url))
    to = parse_uri(url)
    line = await _connected(guard, to)
    try:
        return await connect(
            url,
            sock=line,
            ssl=tls if to.secure else None,
            proxy=None,
            compression=None,
            additional_headers=dict(headers),
            user_agent_header="voxbus",
            open_timeout=None,
            close_timeout=_CLOSE_S,
            max_size=LONGEST_MESSAGE_BYTES,
        )
    except BaseException:
        line.close()
        raise


def _host_in(url: str) -> str:
    """As far as it can be read; parse_uri says the rest."""
    try:
        return parse_uri(url).host
    except InvalidURI:
        return "unreadable"


async def _connected(guard: Guard, to: WebSocketURI) -> socket.socket:
    """To the first of the judged addresses that answers. Raises AddressRefused, OSError."""
    problem: OSError = OSError("the host has no address")
    for address in (await guard.addresses(to.host, to.port))[:_TRIED_AT_MOST]:
        line = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        line.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(line, (address, to.port))
        except OSError as failed:
            line.close()
            problem = failed
        except BaseException:
            line.close()
            raise
        else:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return line
    raise problem
