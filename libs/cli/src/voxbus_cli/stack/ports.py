"""Looks whether the stack's ports are free before anything is started."""

import socket
from collections.abc import Iterable

from voxbus_cli.environment import HOST
from voxbus_cli.errors import PortTaken
from voxbus_cli.stack.plan import PlannedPort


def is_free(port: int) -> bool:
    """Whether this machine lets us listen on a port of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: connections of a stack that has just ended, still in TIME_WAIT, are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def check_ports(ports: Iterable[PlannedPort]) -> None:
    """Raises PortTaken naming every port in use and the variable that moves it."""
    taken = [port for port in ports if not is_free(port.number)]
    if taken:
        lines = "; ".join(f"port {port.number} for {port.use} is in use: set {port.variable}" for port in taken)
        raise PortTaken(f"{lines} to a free one, or stop the program that listens there")
