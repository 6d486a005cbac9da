"""`voxbus bench`."""

import argparse
import asyncio
import contextlib
import json
import os
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, Final

import uvloop

from voxbus_cli.bench.api_load import api_load, api_load_report, has_failed
from voxbus_cli.bench.behaviour import Variant
from voxbus_cli.bench.listeners import SETTINGS as LISTENERS_SETTINGS
from voxbus_cli.bench.listeners import idle_listeners, listeners_report
from voxbus_cli.bench.machine import check_pinning
from voxbus_cli.bench.measuring import Measurement, measure
from voxbus_cli.bench.own_stack import RunningStack, own_stack
from voxbus_cli.bench.report import report
from voxbus_cli.bench.tool_load import tool_load, tool_report
from voxbus_cli.call.api import is_this_machine
from voxbus_cli.environment import read_settings
from voxbus_cli.errors import BadInput, CommandFailed
from voxbus_cli.stack.progress import Progress

_STACK_CPU: Final = 0
_CALLERS_CPU: Final = 1
_CALLS_OF_API_LOAD: Final = 400
"""Simultaneous calls there must be room for: starts of some seconds, should they take so long."""


def bench(arguments: argparse.Namespace) -> int:
    """Prints the figures; 1 when calls failed or a turn was never answered."""
    _check(arguments)
    if arguments.api_load:
        return _bench_api(arguments)
    if arguments.tools:
        return _bench_tools(arguments)
    if arguments.listeners:
        return _bench_listeners(arguments)
    results = asyncio.run(_measured(arguments))
    if arguments.json:
        first, *beside = results
        print(json.dumps({**first, **({"default_plan": beside[0]} if beside else {})}, indent=2))
    else:
        print("\n\n".join(map(report, results)))
    return int(any(map(_has_failed, results)))


def _bench_api(arguments: argparse.Namespace) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(_measured_api(arguments))
    print(json.dumps(found, indent=2) if arguments.json else api_load_report(found))
    return int(has_failed(found))


def _bench_listeners(arguments: argparse.Namespace) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(_measured_listeners(arguments))
    print(json.dumps(found, indent=2) if arguments.json else listeners_report(found))
    return int(found["kept"] < found["listeners"])


async def _measured_listeners(arguments: argparse.Namespace) -> dict[str, Any]:
    progress = Progress()
    progress.step("starting")
    try:
        async with own_stack(arguments.listeners, None, {**os.environ, **LISTENERS_SETTINGS}) as stack:
            return await idle_listeners(stack, arguments.listeners, arguments.seconds, progress)
    finally:
        progress.close()


async def _measured_api(arguments: argparse.Namespace) -> dict[str, Any]:
    progress = Progress()
    progress.step("starting" if arguments.api is None else f"calling {arguments.api}")
    try:
        async with _stack(arguments) as stack:
            return await api_load(stack, arguments.seconds, progress)
    finally:
        progress.close()


def _bench_tools(arguments: argparse.Namespace) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(_measured_tools(arguments))
    print(json.dumps(found, indent=2) if arguments.json else tool_report(found))
    return int(found["answered"] < found["asked"])


async def _measured_tools(arguments: argparse.Namespace) -> dict[str, Any]:
    progress = Progress()
    progress.step("starting")
    try:
        async with _stack(arguments) as stack:
            return await tool_load(stack, arguments.calls, arguments.seconds, progress)
    finally:
        progress.close()


async def _measured(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    progress = Progress()
    wanted = Measurement(
        calls=arguments.calls,
        seconds=arguments.seconds,
        variant=Variant(round(arguments.wait_seconds * 1_000), arguments.speculation == "on"),
        barge_in=arguments.barge_in,
        cpu=_CALLERS_CPU if arguments.pin else None,
    )
    variants = [wanted.variant, *([replace(wanted.variant, wait_ms=None)] if arguments.default_plan else [])]
    progress.step("starting" if arguments.api is None else f"calling {arguments.api}")
    try:
        async with _stack(arguments) as stack:
            return [await measure(stack, replace(wanted, variant=variant), progress) for variant in variants]
    finally:
        progress.close()


@contextlib.asynccontextmanager
async def _stack(arguments: argparse.Namespace) -> AsyncGenerator[RunningStack, None]:
    if arguments.api is not None:
        yield RunningStack(arguments.api.rstrip("/"), arguments.key or read_settings(os.environ).api_key)
        return
    async with own_stack(_slots(arguments), _STACK_CPU if arguments.pin else None, os.environ) as stack:
        yield stack


def _slots(arguments: argparse.Namespace) -> int:
    return _CALLS_OF_API_LOAD if arguments.api_load else arguments.calls


def _check(arguments: argparse.Namespace) -> None:
    if arguments.pin:
        check_pinning()
    if arguments.api is None:
        if arguments.key is not None:
            raise BadInput("--key is the key of a running stack: name it with --api")
        return
    if arguments.tools or arguments.listeners:
        option = "--tools" if arguments.tools else "--listeners"
        raise BadInput(f"{option} looks into a stack of the benchmark's own: leave --api away")
    if arguments.pin:
        raise BadInput("--pin is for a stack of the benchmark's own: leave --api away")
    if not is_this_machine(arguments.api):
        raise BadInput("--api: the stub model answers on this machine only, so the stack must run here too")
    if not (arguments.key or read_settings(os.environ).api_key):
        raise BadInput("--key: no key given, none in VOXBUS_API_KEY")


def _has_failed(result: dict[str, Any]) -> bool:
    if not result["turns"]["answered"]:
        raise CommandFailed(
            "no turn was answered: "
            + ("; ".join(result["errors"][:3]) or "were stubs allowed with VOXBUS_STUB_PROVIDERS=1?")
        )
    return bool(result["errors"]) or result["turns"]["answered"] < result["turns"]["asked"]
