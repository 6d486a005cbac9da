"""`voxbus events`."""

import argparse
import asyncio
import os
import sys
from typing import Final

from voxbus_cli.environment import read_settings
from voxbus_cli.errors import BadInput
from voxbus_cli.follow.lines import as_json, readable
from voxbus_cli.follow.reader import CallReader, follow
from voxbus_cli.stack.broker import connect
from voxbus_contracts.subjects import followed_by_call

_CONNECT_WITHIN_S: Final = 5.0


def events(arguments: argparse.Namespace) -> int:
    """Prints a call's messages until it has ended."""
    try:
        followed_by_call(arguments.call)
    except ValueError as wrong:
        raise BadInput(f"--call: {wrong}") from None
    return asyncio.run(_print_all(arguments))


async def _print_all(arguments: argparse.Namespace) -> int:
    first_ms: int | None = None
    nc = await connect(_url(arguments.nats), _CONNECT_WITHIN_S)
    try:
        async for portion in follow(CallReader(nc, arguments.call, arguments.commands), arguments.keep):
            if not portion:
                print(f"no event of call {arguments.call} yet; waiting (Ctrl-C ends)", file=sys.stderr)
            for message in portion:
                first_ms = message.envelope.occurred_at_ms if first_ms is None else first_ms
                print(as_json(message) if arguments.json else readable(message, first_ms), flush=True)
    finally:
        await nc.close()
    return 0


def _url(given: str | None) -> str:
    """The option, the environment, what the running stack wrote, the default: in this order."""
    if found := given or os.environ.get("VOXBUS_NATS_URL"):
        return found
    settings = read_settings(os.environ)
    written = settings.nats_url_file
    return written.read_text().strip() if written.exists() else settings.nats_url
