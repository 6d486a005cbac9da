"""What `voxbus bench` can be told."""

import argparse

from voxbus_cli.commands import Commands

LEAST_S = 8.0
"""Question, answer and pause take some 7.5 s: in this time every caller has asked."""

_DESCRIPTION = """Makes simultaneous real calls over the public API and reports latency as the callers hear it, and what
the machine paid for it. Recognizer, model and voice are stubs of fixed behaviour, so that what is measured is the
stack. Starts a stack of its own unless --api names one; nothing else should run on the machine meanwhile."""
_EPILOG = """--api needs a stack on this machine that was started with VOXBUS_STUB_PROVIDERS=1; then CPU, memory and the
services' instruments are left out. --pin is how peers are measured: the whole stack on one core, callers and model on
the other."""


def add_bench_parser(commands: Commands) -> None:
    """`voxbus bench`"""
    parser = commands.add_parser(
        "bench", help="measure latency, CPU and memory of simultaneous calls", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("--calls", type=_calls, default=20, metavar="N", help="simultaneous calls (20)")
    parser.add_argument(
        "--seconds", type=_seconds, default=30.0, metavar="S", help="how long is measured (30; at least 8)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--speculation", choices=("on", "off"), default="on", help="of the assistants (on)")
    parser.add_argument(
        "--wait-seconds", type=_wait, default=0.0, metavar="S", help="the assistants' startSpeakingPlan.waitSeconds (0)"
    )
    parser.add_argument(
        "--default-plan", action="store_true", help="measure once more with the default startSpeakingPlan, for beside"
    )
    parser.add_argument("--barge-in", action="store_true", help="callers interrupt every answer after a second")
    parser.add_argument(
        "--api-load", action="store_true", help="the REST API instead: 200 reads and 50 call starts a second, p95"
    )
    parser.add_argument(
        "--tools", action="store_true", help="tool calls instead: what each takes beyond the time of its server, p95"
    )
    parser.add_argument(
        "--listeners",
        type=_calls,
        default=0,
        metavar="N",
        help="followers of events instead: what N of them cost the API while nothing happens",
    )
    parser.add_argument("--pin", action="store_true", help="the stack on core 0; callers and stub model on core 1")
    parser.add_argument("--api", metavar="URL", help="measure a running stack instead")
    parser.add_argument("--key", metavar="KEY", help="private key of its API")
    parser.set_defaults(run="voxbus_cli.bench.command:bench")


def _calls(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 1000")
    return int(text)


def _seconds(text: str) -> float:
    return _number(text, LEAST_S, 86_400.0)


def _wait(text: str) -> float:
    return _number(text, 0.0, 5.0)


def _number(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")
    return value
