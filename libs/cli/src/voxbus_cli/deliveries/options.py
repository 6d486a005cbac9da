"""What `voxbus deliveries` can be told."""

from voxbus_cli.commands import Commands

_DESCRIPTION = """Lists, shows and sends again the server messages that were given up: their server did not answer,
refused them or must not be reached. They are kept for 7 days."""
_RUN = "voxbus_cli.deliveries.command"


def add_deliveries_parser(commands: Commands) -> None:
    """`voxbus deliveries`"""
    parser = commands.add_parser("deliveries", help="server messages that were given up", description=_DESCRIPTION)
    parser.add_argument("--url", metavar="URL", help="address of the API (default: this machine's stack)")
    parser.add_argument("--key", metavar="KEY", help="a private key (default: this machine's stack's)")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="those there are, newest first")
    listed.add_argument("--call", metavar="ID", help="of one call only")
    listed.set_defaults(run=f"{_RUN}:list_deliveries")
    shown = actions.add_parser("show", help="one, with the whole message, as JSON")
    shown.add_argument("id", metavar="ID", help="as `voxbus deliveries list` shows it")
    shown.set_defaults(run=f"{_RUN}:show_delivery")
    retry = actions.add_parser("retry", help="send again")
    retry.add_argument("id", metavar="ID", nargs="?", help="as `voxbus deliveries list` shows it")
    retry.add_argument("--call", metavar="ID", help="all of one call instead, in the order they were made")
    retry.set_defaults(run=f"{_RUN}:retry_deliveries")
