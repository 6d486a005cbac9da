"""What `voxbus chat` can be told."""

from voxbus_cli.commands import Commands

_DESCRIPTION = """Writes to an assistant over the public API and prints its answer as it comes. Without --say it reads
what you write line by line and goes on in one session until an empty line or the end of the input."""
_EPILOG = "--url and --key default to the stack that `voxbus up` runs here (VOXBUS_DATA_DIR)."


def add_chat_parser(commands: Commands) -> None:
    """`voxbus chat`"""
    parser = commands.add_parser("chat", help="write to an assistant", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--say", metavar="TEXT", help="write this, print the answer, and be done")
    parser.add_argument("--assistant", metavar="ID", help="which assistant (default: the demo assistant)")
    parser.add_argument("--url", metavar="URL", help="address of the API")
    parser.add_argument("--key", metavar="KEY", help="private key of the API")
    parser.set_defaults(run="voxbus_cli.chat.command:chat")
