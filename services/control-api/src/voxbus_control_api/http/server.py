"""uvicorn inside the service's own loop; signals stay with the service."""

import contextlib
import socket
from collections.abc import Generator
from typing import Final

import uvicorn
from fastapi import FastAPI

from voxbus_control_api.errors import PortTaken

KEEP_ALIVE_S: Final = 120
"""An idle connection stays open for longer than clients keep theirs (httpx 5 s, undici 4 s, Go 90 s): the one that ends
it is then never the server, under whose hands a request could get lost."""

_MOST_HEARD_BYTES: Final = 64 * 1024
"""Of one message; what listeners send is ignored."""


class ApiServer(uvicorn.Server):
    """Serves on a socket that is bound already."""

    def __init__(self, app: FastAPI, bound: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                http="h11",  # the other one, taken if installed, sets no limit to a request's head
                ws="websockets-sansio",
                ws_max_size=_MOST_HEARD_BYTES,
                ws_per_message_deflate=False,
                log_level="warning",  # it would tell the addresses of WebSockets, which are secrets
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=5,
            )
        )
        self._socket = bound

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def run_until_stopped(self) -> None:
        """Serves; returns after `stop`, when running requests are answered."""
        await self.serve(sockets=[self._socket])

    def stop(self) -> None:
        self.should_exit = True


def bound_socket(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """Before anything else is opened: raises PortTaken. `is_shared`: with another process that allows it, too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError as taken:
        bound.close()
        raise PortTaken(f"cannot listen on {host}:{port} ({taken.strerror}); set VOXBUS_API_PORT") from taken
    return bound
