"""What `voxbus gen` can be told."""

from voxbus_cli.commands import Commands

_DESCRIPTION = """Writes docs/events.md, docs/schemas/*.json, docs/asyncapi.json and the protobuf stubs of libs/proto
from the contracts and proto/. With --check it writes nothing and fails when a committed file differs."""


def add_gen_parser(commands: Commands) -> None:
    """`voxbus gen`"""
    parser = commands.add_parser("gen", help="write docs and stubs from the contracts", description=_DESCRIPTION)
    parser.add_argument("--root", default=".", metavar="DIR", help="the checkout (default: this folder)")
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when something differs")
    parser.set_defaults(run="voxbus_cli.generate.command:gen")
