"""What `voxbus keys` can be told."""

import argparse

from voxbus_cli.commands import Commands

_DESCRIPTION = """Lists, makes, revokes and rotates the API's keys of the organisation that --key belongs to. A new key
is printed once and kept nowhere: the server stores its hash."""
_ROTATE = """Makes a new private key, prints it, and gives the one in use an end. The stack of `voxbus up` finds the new
one in its folder at once, unless VOXBUS_API_KEY is set: then set it to the new key."""


def add_keys_parser(commands: Commands) -> None:
    """`voxbus keys`"""
    parser = commands.add_parser("keys", help="list, make, revoke and rotate keys", description=_DESCRIPTION)
    parser.add_argument("--url", metavar="URL", help="address of the API (default: this machine's stack)")
    parser.add_argument("--key", metavar="KEY", help="a private key (default: this machine's stack's)")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    actions.add_parser("list", help="the keys there are").set_defaults(run="voxbus_cli.keys.command:list_keys")
    _add_new(actions)
    revoke = actions.add_parser("revoke", help="end a key now and for good")
    revoke.add_argument("id", metavar="ID", help="the key's id, as `voxbus keys list` shows it")
    revoke.set_defaults(run="voxbus_cli.keys.command:revoke_key")
    rotate = actions.add_parser("rotate", help="replace the key in use", description=_ROTATE)
    rotate.add_argument(
        "--grace", type=_hours, default=24.0, metavar="H", help="hours the old key still works (24); 0 = none"
    )
    rotate.set_defaults(run="voxbus_cli.keys.command:rotate_key")


def _add_new(actions: Commands) -> None:
    new = actions.add_parser("new", help="make a key")
    new.add_argument("--name", metavar="NAME", help="what it is for")
    new.add_argument("--public", action="store_true", help="for pages: may begin web calls and chats, nothing else")
    new.add_argument("--origin", action="append", default=[], metavar="URL", help="a page it may be used from")
    new.add_argument("--assistant", action="append", default=[], metavar="ID", help="an assistant it may be used for")
    new.set_defaults(run="voxbus_cli.keys.command:new_key")


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = -1.0
    if not 0 <= hours <= 8_760:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of hours from 0 to 8760")
    return hours
