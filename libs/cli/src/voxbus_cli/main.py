"""The command line: what `voxbus` understands, and how a failure is said."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from voxbus_cli.bench.options import add_bench_parser
from voxbus_cli.call.options import add_call_parser
from voxbus_cli.chat.options import add_chat_parser
from voxbus_cli.commands import load
from voxbus_cli.deliveries.options import add_deliveries_parser
from voxbus_cli.doctor.options import add_doctor_parser
from voxbus_cli.errors import CommandFailed
from voxbus_cli.follow.options import add_events_parser
from voxbus_cli.generate.options import add_gen_parser
from voxbus_cli.keys.options import add_keys_parser
from voxbus_cli.models.options import add_models_parser
from voxbus_cli.records.options import add_rebuild_parser, add_reconcile_parser
from voxbus_cli.stack.options import add_bootstrap_parser, add_restart_parser, add_up_parser
from voxbus_cli.tools.options import add_tools_parser

_INTERRUPTED = 130
_DESCRIPTION = "Voxbus: voice agents on your own machine. `voxbus up` starts everything; `voxbus call` makes a call."


def build_parser() -> argparse.ArgumentParser:
    """Every subcommand with its options; `run` of the parsed arguments does it and gives the exit status."""
    parser = argparse.ArgumentParser(prog="voxbus", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"voxbus {_version()}")
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for add in (
        add_up_parser,
        add_restart_parser,
        add_call_parser,
        add_chat_parser,
        add_events_parser,
        add_keys_parser,
        add_deliveries_parser,
        add_tools_parser,
        add_reconcile_parser,
        add_rebuild_parser,
        add_bench_parser,
        add_doctor_parser,
        add_models_parser,
        add_bootstrap_parser,
        add_gen_parser,
    ):
        add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; 0 = done, 1 = failed, 2 = bad input, 130 = interrupted."""
    arguments = build_parser().parse_args(argv)
    try:
        return load(arguments.run)(arguments)
    except CommandFailed as failure:
        print(f"voxbus {arguments.command}: {failure}", file=sys.stderr)
        return failure.exit_status
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough; what is left in the buffer must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _version() -> str:
    try:
        return version("voxbus-cli")
    except PackageNotFoundError:
        return "from source"
