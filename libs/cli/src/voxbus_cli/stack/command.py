"""`voxbus up` and `voxbus bootstrap`."""

import argparse
import asyncio
import os
import sys

from voxbus_cli.environment import StackSettings, read_settings
from voxbus_cli.stack.broker import broker_child, broker_version, connect, find_broker
from voxbus_cli.stack.door import ask_for_restart
from voxbus_cli.stack.folder import announced, cluster_key, held_folder
from voxbus_cli.stack.plan import ChildSpec, child_environment, plan_children, planned_ports, read_replicas
from voxbus_cli.stack.ports import check_ports
from voxbus_cli.stack.progress import Progress
from voxbus_cli.stack.replacing import services_to_restart
from voxbus_cli.stack.supervisor import Supervisor
from voxbus_runtime.bootstrap import ensure_bus


def up(arguments: argparse.Namespace) -> int:
    """Runs the stack until it is told to end."""
    settings = read_settings(os.environ)
    replicas = read_replicas(arguments.replicas)
    check_ports(planned_ports(settings))
    with held_folder(settings):
        progress = Progress()
        broker = None if settings.foreign_nats else _own_broker(settings, progress)
        environment = child_environment(settings, os.environ, cluster_key(settings.data_dir))
        services = plan_children(settings, replicas, sys.executable)
        with announced(settings):
            supervisor = Supervisor(settings, broker, services, environment, progress)
            return asyncio.run(supervisor.run())


def _own_broker(settings: StackSettings, progress: Progress) -> ChildSpec:
    binary = find_broker()
    progress.step(f"nats-server {broker_version(binary)}")
    return broker_child(settings, binary)


def restart(arguments: argparse.Namespace) -> int:
    """Has the stack of this folder replace processes, and prints each replacement."""
    services = services_to_restart(arguments.services)
    asyncio.run(ask_for_restart(read_settings(os.environ).data_dir, services, lambda text: print(text, flush=True)))
    return 0


def bootstrap(arguments: argparse.Namespace) -> int:
    """Makes streams, consumers and buckets, and prints what changed."""
    url = arguments.nats or os.environ.get("VOXBUS_NATS_URL") or read_settings(os.environ).nats_url
    return asyncio.run(_make_bus(url, arguments.stream_replicas, arguments.wait))


async def _make_bus(url: str, replicas: int, wait_s: float) -> int:
    nc = await connect(url, wait_s)
    try:
        for change in await ensure_bus(nc, replicas):
            print(change)
    finally:
        await nc.close()
    return 0
