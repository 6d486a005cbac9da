"""The stack's settings, from the environment; shared by every command so that they find the same stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voxbus_cli.errors import BadInput

HOST: Final = "127.0.0.1"
DEFAULT_DATA_DIR: Final = ".voxbus"
DEFAULT_PORT: Final = 8080
DEFAULT_NATS_PORT: Final = 4222

_HIGHEST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class StackSettings:
    """Where one stack lives: its folder and its ports. `port` is the API's; the next two belong to it.

    `foreign_nats`: somebody else's servers, commas between them, which keep `nats_replicas` copies of what is stored;
    "" = the stack runs one of its own. `nats_monitor_port`: where that one tells of itself over HTTP; 0 = nowhere.
    """

    data_dir: Path
    port: int = DEFAULT_PORT
    nats_port: int = DEFAULT_NATS_PORT
    api_key: str = ""
    foreign_nats: str = ""
    nats_replicas: int = 1
    nats_monitor_port: int = 0

    @property
    def media_port(self) -> int:
        return self.port + 1

    @property
    def demo_port(self) -> int:
        return self.port + 2

    @property
    def api_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def media_url(self) -> str:
        return f"ws://{HOST}:{self.media_port}"

    @property
    def demo_server_url(self) -> str:
        """What the demo assistant's tool calls."""
        return f"http://{HOST}:{self.demo_port}/tools/order-status"

    @property
    def nats_url(self) -> str:
        return self.foreign_nats or f"nats://{HOST}:{self.nats_port}"

    @property
    def api_key_file(self) -> Path:
        """Written by control-api at its first start."""
        return self.data_dir / "api-key"

    @property
    def api_url_file(self) -> Path:
        """Written by `voxbus up` while the stack runs, so that other commands find it."""
        return self.data_dir / "api-url"

    @property
    def nats_url_file(self) -> Path:
        """Written by `voxbus up` while the stack runs."""
        return self.data_dir / "nats-url"

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "logs"


def read_settings(environ: Mapping[str, str]) -> StackSettings:
    """`VOXBUS_DATA_DIR`, `VOXBUS_PORT`, `VOXBUS_NATS_PORT`, `VOXBUS_NATS_MONITOR_PORT`, `VOXBUS_API_KEY`,
    `VOXBUS_NATS_URL`, `VOXBUS_NATS_REPLICAS` → settings; raises BadInput naming one."""
    return StackSettings(
        data_dir=Path(environ.get("VOXBUS_DATA_DIR") or DEFAULT_DATA_DIR),
        port=_port(environ, "VOXBUS_PORT", DEFAULT_PORT, following=2),
        nats_port=_port(environ, "VOXBUS_NATS_PORT", DEFAULT_NATS_PORT, following=0),
        api_key=environ.get("VOXBUS_API_KEY", "").strip(),
        foreign_nats=_servers(environ.get("VOXBUS_NATS_URL", "")),
        nats_replicas=_replicas(environ.get("VOXBUS_NATS_REPLICAS", "").strip() or "1"),
        nats_monitor_port=_port_or_none(environ, "VOXBUS_NATS_MONITOR_PORT"),
    )


def _servers(text: str) -> str:
    servers = [part.strip() for part in text.split(",") if part.strip()]
    for server in servers:
        if not server.startswith(("nats://", "tls://", "ws://", "wss://")):
            raise BadInput(f"VOXBUS_NATS_URL: {server!r} is no address; give nats://HOST:PORT, commas between several")
    return ",".join(servers)


def _replicas(text: str) -> int:
    if text not in ("1", "3", "5"):
        raise BadInput(f"VOXBUS_NATS_REPLICAS={text!r}: give 1, 3 or 5, at most as many as there are servers")
    return int(text)


def _port_or_none(environ: Mapping[str, str], name: str) -> int:
    return 0 if environ.get(name, "").strip() in ("", "0") else _port(environ, name, 0, following=0)


def _port(environ: Mapping[str, str], name: str, default: int, following: int) -> int:
    text = environ.get(name, "").strip() or str(default)
    highest = _HIGHEST_PORT - following
    if not text.isdecimal() or not 1 <= int(text) <= highest:
        raise BadInput(f"{name}={text!r} is no port: give a whole number from 1 to {highest}")
    return int(text)
