"""Three nats-servers, each in a network namespace of its own, so that their links can be cut. Needs root."""

import asyncio
import json
import os
import subprocess
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import nats
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from voxbus_cli.stack.broker import broker_environment

NODES: Final = 3
_NETWORK: Final = "10.213.77"
"""Of the bridge between the namespaces; .254 is this machine."""
_BRIDGE: Final = "vxchaos0"
_READY_WITHIN_S: Final = 60.0


@dataclass
class Node:
    """One server of the cluster."""

    number: int
    config: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return f"n{self.number}"

    @property
    def namespace(self) -> str:
        return f"vxchaos{self.number}"

    @property
    def host(self) -> str:
        return f"{_NETWORK}.{self.number}"

    @property
    def url(self) -> str:
        return f"nats://{self.host}:4222"


@dataclass
class Cluster:
    """`start`, then `urls`; `stop` leaves nothing behind. Needs root, `ip` and network namespaces."""

    folder: Path
    nodes: list[Node] = field(default_factory=list[Node])

    @property
    def urls(self) -> str:
        return ",".join(node.url for node in self.nodes)

    def start(self) -> "Cluster":
        """Raises PermissionError or FileNotFoundError where namespaces cannot be made."""
        if os.geteuid() != 0:
            raise PermissionError("a cluster whose links can be cut needs root, for network namespaces")
        self.stop()
        _ip("link add", _BRIDGE, "type bridge")
        _ip("addr add", f"{_NETWORK}.254/24 dev {_BRIDGE}")
        _ip("link set", _BRIDGE, "up")
        for number in range(1, NODES + 1):
            node = Node(number, self.folder / f"n{number}.conf")
            _plug(node)
            node.config.write_text(_config(node, self.folder))
            self.nodes.append(node)
            self.start_node(node)
        return self

    def start_node(self, node: Node) -> None:
        binary = Path(sysconfig.get_path("scripts")) / "nats-server"
        log = (self.folder / f"{node.name}.log").open("ab")
        with log:
            command = ["ip", "netns", "exec", node.namespace, str(binary), "-c", str(node.config)]
            environment = broker_environment(os.environ, os.cpu_count() or 1)
            node.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def kill_node(self, node: Node) -> None:
        assert node.process is not None
        node.process.kill()
        node.process.wait()

    def cut(self, node: Node) -> None:
        """The node runs on, and reaches nobody."""
        _ip("link set", f"vx{node.number}out", "down")

    def heal(self, node: Node) -> None:
        _ip("link set", f"vx{node.number}out", "up")

    async def ready(self) -> None:
        """Waits until JetStream has a leader."""
        async with asyncio.timeout(_READY_WITHIN_S):
            while True:
                try:
                    nc = await nats.connect(
                        self.urls.split(","), connect_timeout=1, allow_reconnect=False, error_cb=_says_nothing
                    )
                    try:
                        await nc.jetstream(timeout=1).account_info()
                        return
                    finally:
                        await nc.close()
                except (NatsError, JetStreamError, OSError, TimeoutError):
                    await asyncio.sleep(0.2)

    async def leader(self, stream: str) -> Node:
        """The node that leads a stream now."""
        nc = await nats.connect(self.urls.split(","), connect_timeout=1)
        try:
            answer = await nc.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=5)
            name = json.loads(answer.data)["cluster"]["leader"]
        finally:
            await nc.close()
        return next(node for node in self.nodes if node.name == name)

    def stop(self) -> None:
        for node in self.nodes:
            if node.process is not None and node.process.poll() is None:
                self.kill_node(node)
        for number in range(1, NODES + 1):
            subprocess.run(["ip", "netns", "del", f"vxchaos{number}"], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", _BRIDGE], capture_output=True, check=False)
        self.nodes = []


async def _says_nothing(_: Exception) -> None:
    """nats-py would print each server that is not there yet."""


def _plug(node: Node) -> None:
    outside, inside = f"vx{node.number}out", f"vx{node.number}in"
    _ip("netns add", node.namespace)
    _ip("link add", outside, "type veth peer name", inside)
    _ip("link set", inside, "netns", node.namespace)
    _ip("link set", outside, "master", _BRIDGE)
    _ip("link set", outside, "up")
    _ip("-n", node.namespace, f"addr add {node.host}/24 dev {inside}")
    _ip("-n", node.namespace, f"link set {inside} up")
    _ip("-n", node.namespace, "link set lo up")


def _ip(*words: str) -> None:
    command = ["ip", *(word for part in words for word in part.split())]
    subprocess.run(command, check=True, capture_output=True)


def _config(node: Node, folder: Path) -> str:
    routes = "\n".join(f"    nats://{_NETWORK}.{number}:6222" for number in range(1, NODES + 1))
    return f"""
listen: "{node.host}:4222"
server_name: {node.name}
max_payload: 4MB
jetstream {{ store_dir: {json.dumps(str(folder / node.name))}, max_memory_store: 1GB, max_file_store: 8GB }}
cluster {{
  name: chaos
  listen: "{node.host}:6222"
  routes: [
{routes}
  ]
}}
"""
