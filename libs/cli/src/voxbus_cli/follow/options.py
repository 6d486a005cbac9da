"""What `voxbus events` can be told."""

from voxbus_cli.commands import Commands

_DESCRIPTION = """Follows a call's events as they happen: the stored ones first, then live, until the call has ended.
Times are seconds since the first event. What people said is shown: the output is personal data."""


def add_events_parser(commands: Commands) -> None:
    """`voxbus events`"""
    parser = commands.add_parser("events", help="follow the events of a call", description=_DESCRIPTION)
    parser.add_argument("--call", required=True, metavar="ID", help="the call, as POST /call and `voxbus call` name it")
    parser.add_argument("--nats", metavar="URL", help="the NATS server (default: this machine's stack)")
    parser.add_argument("--commands", action="store_true", help="also the orders between services (speech.say, …)")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--keep", action="store_true", help="go on after the call has ended")
    parser.set_defaults(run="voxbus_cli.follow.command:events")
