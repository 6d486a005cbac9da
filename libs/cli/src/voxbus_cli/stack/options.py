"""What `voxbus up` and `voxbus bootstrap` can be told."""

import argparse

from voxbus_cli.commands import Commands

_UP = """Starts NATS, every service and the demo tool server, and keeps them running.
Prints one line when all are healthy: voxbus ready api=… nats=… key=…
Ctrl-C ends all of it. Processes that die are started again."""
_UP_ENVIRONMENT = """environment:
  VOXBUS_DATA_DIR   where databases, keys and logs live (.voxbus)
  VOXBUS_PORT       port of the API (8080); the next two are for callers' audio and the demo tool server
  VOXBUS_NATS_PORT  port of NATS (4222)
  VOXBUS_NATS_MONITOR_PORT  port on which that NATS tells of itself over HTTP (none)
  VOXBUS_API_KEY    private key of the API; made at the first start when not given"""


def add_up_parser(commands: Commands) -> None:
    """`voxbus up`"""
    parser = commands.add_parser(
        "up",
        help="start everything on this machine",
        description=_UP,
        epilog=_UP_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--replicas",
        default="",
        metavar="SERVICE=N,…",
        help="run several of a service, as in vad=2,stt-worker=2 (default: one of each)",
    )
    parser.set_defaults(run="voxbus_cli.stack.command:up")


_RESTART = """Replaces the processes of services one by one: the new one starts, and when it is healthy the old one
gives its calls back and ends. Running calls go on. Use it after an update, or to have a setting read again that a
service reads from a file; `voxbus up` itself and NATS are not restarted, and its environment stays as it is."""


def add_restart_parser(commands: Commands) -> None:
    """`voxbus restart`"""
    parser = commands.add_parser(
        "restart",
        help="replace the processes of a running stack one by one; calls go on",
        description=_RESTART,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("services", nargs="*", metavar="SERVICE", help="as in vad stt-worker (default: all)")
    parser.set_defaults(run="voxbus_cli.stack.command:restart")


def add_bootstrap_parser(commands: Commands) -> None:
    """`voxbus bootstrap`"""
    parser = commands.add_parser(
        "bootstrap",
        help="make streams, consumers and buckets on a NATS server (`up` does it by itself)",
        description="Makes what is missing on a NATS server and mends what differs; safe to run again at any time.",
    )
    parser.add_argument("--nats", metavar="URL", help="the server (default: this machine's stack)")
    parser.add_argument("--stream-replicas", type=int, default=1, choices=(1, 3, 5), help="copies of each stream")
    parser.add_argument("--wait", type=float, default=60, metavar="S", help="how long to wait for the server (60)")
    parser.set_defaults(run="voxbus_cli.stack.command:bootstrap")
