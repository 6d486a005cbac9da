"""What the commands about kept calls can be told."""

import argparse
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from voxbus_cli.commands import Commands

_SHOW = """Shows a call from its archive, or from the live log while there is none yet: what was said when, how long
the answers took, tools, costs and faults. What people said is shown: the output is personal data."""
_RECONCILE = """Recomputes the cost of every call from its archive and prints what differs from the ledger. Exit status
1 when something does, or an archive is broken."""
_REBUILD = """Makes records and ledger again from calls' archives: what is there already stays. A broken archive is
named and the others are still used; exit status 1 then. The stack may run meanwhile."""
_WHERE: Final = "The stack's settings are taken from the environment, as `voxbus up` takes them (VOXBUS_DATA_DIR, …)."

_AGO: Final = re.compile(r"(\d{1,6})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def add_show_parser(commands: Commands) -> None:
    """`voxbus call show`"""
    parser = commands.add_parser("show", help="show a call from its archive", description=_SHOW, epilog=_WHERE)
    parser.add_argument("id", metavar="ID", help="the call")
    parser.add_argument("--org", metavar="ID", help="its organisation (default: looked for)")
    parser.add_argument("--nats", metavar="URL", help="the NATS server (default: this machine's stack, if it runs)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run="voxbus_cli.records.show:show")


def add_reconcile_parser(commands: Commands) -> None:
    """`voxbus reconcile`"""
    parser = commands.add_parser(
        "reconcile", help="check the ledger against calls' archives", description=_RECONCILE, epilog=_WHERE
    )
    parser.add_argument("--call", metavar="ID", help="one call only")
    parser.add_argument(
        "--since",
        type=_moment,
        default=0,
        metavar="WHEN",
        help="calls archived since then: 2026-11-01, 2026-11-01T12:00Z, or how long ago: 90m, 24h, 7d",
    )
    parser.add_argument(
        "--correct", action="store_true", help="write reversing entries so that the ledger is as the archives say"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run="voxbus_cli.records.command:reconcile")


def add_rebuild_parser(commands: Commands) -> None:
    """`voxbus rebuild`"""
    parser = commands.add_parser(
        "rebuild", help="make records and ledger again from calls' archives", description=_REBUILD, epilog=_WHERE
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--call", metavar="ID", help="one call")
    which.add_argument("--all", action="store_true", help="every call that has an archive")
    parser.set_defaults(run="voxbus_cli.records.command:rebuild")


def _moment(text: str) -> int:
    """Milliseconds since the epoch; a date without an offset is UTC."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        moment = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is neither a date, nor a time, nor like 24h") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
