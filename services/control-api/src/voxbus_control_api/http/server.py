"""uvicorn inside the service's own loop; signals stay with the service."""

import contextlib
import socket
from collections.abc import Generator

import uvicorn
from fastapi import FastAPI

from voxbus_control_api.errors import PortTaken


class ApiServer(uvicorn.Server):
    """Bound at once, so that a used port is said at start."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=5,
            )
        )
        self._socket = _bound(host, port)

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


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as taken:
        bound.close()
        raise PortTaken(f"cannot listen on {host}:{port} ({taken.strerror}); set VOXBUS_API_PORT") from taken
    return bound
