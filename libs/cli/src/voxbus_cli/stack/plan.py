"""What a stack consists of: its processes, their order, ports and environment. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voxbus_cli.environment import StackSettings
from voxbus_cli.errors import BadInput
from voxbus_contracts.identity import SERVICES
from voxbus_runtime.bus import without_login

DEMO_SERVER: Final = "demo-server"
FORK_SERVER: Final = "fork-server"
_PATIENT: Final = {"control-api": 10, "recorder": 15, "billing": 15}
"""Off the audio path, with their niceness: records and costs can wait for a frame, a frame cannot wait for them.

Whoever asks the API waits for its answer, nobody for an archive; for a tool callers wait.
"""
_NICENESS: Final = 10
STARTER: Final = "voxbus_cli.stack.starting"
"""The module that loads a service considerately and runs it."""
MAX_REPLICAS: Final = 16

_LISTENERS: Final = {"control-api": "the API's", "media-ingress": "the caller's WebSocket"}
"""Services that listen on a fixed port, so that a second one on the same machine would clash."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One process of the stack. `stage` is what its heartbeats say; "" = it has none and listens on `port` instead.

    `module`: what the fork server runs; "" = started by `command` alone, which all are where there is no fork server.
    `niceness` > 0 lets the others go first when the machine is busy; `short_turns` has it let in soon (services ask for
    that themselves).
    """

    name: str
    command: tuple[str, ...]
    stage: str = ""
    port: int = 0
    niceness: int = 0
    short_turns: bool = False
    module: str = ""


@dataclass(frozen=True, slots=True)
class PlannedPort:
    """A port the stack will listen on, and the variable that moves it."""

    number: int
    use: str
    variable: str


def planned_ports(settings: StackSettings) -> tuple[PlannedPort, ...]:
    """All ports of a stack; raises BadInput when two of them are the same."""
    ports = (
        PlannedPort(settings.port, "the API", "VOXBUS_PORT"),
        PlannedPort(settings.media_port, "the callers' WebSocket (VOXBUS_PORT + 1)", "VOXBUS_PORT"),
        PlannedPort(settings.demo_port, "the demo tool server (VOXBUS_PORT + 2)", "VOXBUS_PORT"),
    )
    if settings.foreign_nats:
        return ports
    ports = (*ports, _apart(PlannedPort(settings.nats_port, "NATS", "VOXBUS_NATS_PORT"), ports))
    if not settings.nats_monitor_port:
        return ports
    monitor = PlannedPort(settings.nats_monitor_port, "what NATS tells of itself", "VOXBUS_NATS_MONITOR_PORT")
    return (*ports, _apart(monitor, ports))


def _apart(wanted: PlannedPort, others: tuple[PlannedPort, ...]) -> PlannedPort:
    for port in others:
        if port.number == wanted.number:
            raise BadInput(f"{wanted.variable}={wanted.number} is also the port of {port.use}: change one of them")
    return wanted


def read_replicas(text: str) -> dict[str, int]:
    """`vad=2,stt-worker=2` → how many of each service, 1 where none is named. Raises BadInput naming the part."""
    replicas = dict.fromkeys(SERVICES, 1)
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        service, _, count = part.partition("=")
        if service not in replicas:
            raise BadInput(f"--replicas: no service is called {service!r}; there are {', '.join(SERVICES)}")
        if not count.isdecimal() or not 1 <= int(count) <= MAX_REPLICAS:
            raise BadInput(f"--replicas: {part!r} must end in a number from 1 to {MAX_REPLICAS}, as in vad=2")
        if int(count) > 1 and service in _LISTENERS:
            raise BadInput(
                f"--replicas: {service} listens on {_LISTENERS[service]} port, so one machine runs one of it; "
                "start a second stack with another VOXBUS_PORT and VOXBUS_DATA_DIR instead"
            )
        replicas[service] = int(count)
    return replicas


def plan_children(settings: StackSettings, replicas: Mapping[str, int], python: str) -> tuple[ChildSpec, ...]:
    """The processes besides nats-server, in the order they are started; the second vad is called `vad-2`."""
    demo = (python, "-m", "voxbus_tool_runner.demo_server")
    children = [ChildSpec(DEMO_SERVER, demo, port=settings.demo_port, niceness=_NICENESS)]
    for service in SERVICES:
        module = f"voxbus_{service.replace('-', '_')}"
        for number in range(1, replicas.get(service, 1) + 1):
            name = service if number == 1 else f"{service}-{number}"
            command = (python, "-m", STARTER, module)
            niceness = _PATIENT.get(service, 0)
            children.append(ChildSpec(name, command, stage=service, niceness=niceness, module=module))
    return tuple(children)


def child_environment(settings: StackSettings, inherited: Mapping[str, str], cluster_key: str) -> dict[str, str]:
    """What every process of the stack finds in its environment, besides its own VOXBUS_WORKER_ID."""
    fixed = {
        "VOXBUS_NATS_URL": settings.nats_url,
        "VOXBUS_DATA_DIR": str(settings.data_dir.absolute()),
        "VOXBUS_API_PORT": str(settings.port),
        "VOXBUS_MEDIA_PORT": str(settings.media_port),
        "VOXBUS_MEDIA_URL": settings.media_url,
        "VOXBUS_DEMO_PORT": str(settings.demo_port),
        "VOXBUS_DEMO_SERVER_URL": settings.demo_server_url,
        "VOXBUS_CLUSTER_KEY": cluster_key,
        # `voxbus restart`: the new process listens before the old one stops.
        "VOXBUS_SHARE_PORTS": "1",
        # A crash must show its last words in the log, not lose them in a buffer.
        "PYTHONUNBUFFERED": "1",
    }
    if settings.api_key:
        fixed["VOXBUS_API_KEY"] = settings.api_key
    # Only this machine's own networks: tools of the demo run here. A person may widen it.
    preset = {"VOXBUS_GUARD_ALLOW": "127.0.0.0/8,::1/128"}
    return {**preset, **inherited, **fixed}


def worker_id(spec: ChildSpec, token: str) -> str:
    """`vad-3f9a01`: names one life of one process; `token` is 6 hex digits."""
    return f"{spec.stage or spec.name}-{token}"


def ready_line(settings: StackSettings, api_key: str) -> str:
    """The one line on standard output that scripts wait for."""
    return f"voxbus ready api={settings.api_url} nats={without_login(settings.nats_url)} key={api_key}"


def log_file(settings: StackSettings, name: str) -> Path:
    """Where a process of the stack writes."""
    return settings.log_dir / f"{name}.log"
