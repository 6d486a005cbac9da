"""What `voxbus call` can be told."""

import argparse
import math

from voxbus_cli.commands import Commands
from voxbus_cli.records.options import add_show_parser

_DESCRIPTION = """Calls an assistant over the public API: plays an audio file to it in real time, listens to the
answer, hangs up, and prints what was said. The caller listens to the greeting first, as people do."""
_EPILOG = "--url and --key default to the stack that `voxbus up` runs here (VOXBUS_DATA_DIR)."


def add_call_parser(commands: Commands) -> None:
    """`voxbus call`"""
    parser = commands.add_parser(
        "call", help="make a call from an audio file, or show one", description=_DESCRIPTION, epilog=_EPILOG
    )
    add_show_parser(parser.add_subparsers(title="instead of making a call", metavar="show ID", required=False))
    parser.add_argument("--wav", metavar="FILE", help="what the caller says (wav, flac, mp3, ogg, …); required")
    parser.add_argument("--out", metavar="FILE", help="write what the agent said as WAV, on the call's time line")
    parser.add_argument("--picture", metavar="FILE", help="draw the turns' latencies as SVG")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a transcript")
    parser.add_argument("--assistant", metavar="ID", help="which assistant (default: the demo assistant)")
    parser.add_argument("--url", metavar="URL", help="address of the API")
    parser.add_argument("--key", metavar="KEY", help="private key of the API")
    parser.add_argument("--talk-over", action="store_true", help="speak at once, without listening to the greeting")
    parser.add_argument(
        "--hangup-after", type=_seconds, metavar="S", help="hang up this long after connecting, whatever the agent says"
    )
    parser.add_argument(
        "--patience", type=_seconds, default=15.0, metavar="S", help="how long to wait for an answer at all (15)"
    )
    parser.add_argument(
        "--realtime-factor",
        type=_factor,
        default=1.0,
        metavar="X",
        help="2 sends the file twice as fast as it sounds; the call still takes its time (1)",
    )
    parser.set_defaults(run="voxbus_cli.call.command:call")


def _seconds(text: str) -> float:
    return _number(text, 0.0, 86_400.0)


def _factor(text: str) -> float:
    return _number(text, 0.1, 100.0)


def _number(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")
    return value
