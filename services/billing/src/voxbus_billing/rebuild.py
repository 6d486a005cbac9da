"""`voxbus rebuild`, billing's side: counts what is in calls' archives and not in the ledger."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from voxbus_billing.errors import BillingError
from voxbus_billing.ledger import Ledger
from voxbus_billing.reconcile import facts_of_log
from voxbus_billing.settings import Settings
from voxbus_billing.wiring import ledger_of
from voxbus_bus.archives import ProgressLine, UnusableArchive, add_which_calls, read_archives
from voxbus_database import DatabaseFault
from voxbus_objects import ObjectFault, ObjectStore, open_store


async def rebuild(ledger: Ledger, store: ObjectStore, call: str | None = None) -> tuple[int, list[UnusableArchive]]:
    """How many calls there are now, and archives that could not be used. What is counted already stays as it is."""
    calls = 0
    unusable: list[UnusableArchive] = []
    async for archived in read_archives(store, call=call, on_progress=ProgressLine("billing")):
        if isinstance(archived, UnusableArchive):
            unusable.append(archived)
        elif facts := facts_of_log(archived):
            await ledger.enter({archived.ref: facts})
            calls += 1
    return calls, unusable


async def _run(arguments: argparse.Namespace) -> int:
    settings = Settings()
    store = open_store(settings.objects_address)
    ledger = await ledger_of(settings)
    try:
        calls, unusable = await rebuild(ledger, store, arguments.call)
    finally:
        await ledger.close()
    for each in unusable:
        sys.stderr.write(f"billing: {each.call}: {each.problem}\n")
    sys.stdout.write(f"billing: {calls} calls from their archives\n")
    return 1 if unusable else 0


def main(argv: Sequence[str] | None = None) -> int:
    """0 = all archives were used, 1 = not all, 2 = it cannot be done."""
    parser = argparse.ArgumentParser(prog="voxbus rebuild")
    add_which_calls(parser)
    try:
        return asyncio.run(_run(parser.parse_args(argv)))
    except (BillingError, DatabaseFault, ObjectFault, OSError) as problem:
        sys.stderr.write(f"voxbus rebuild: billing: {problem}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
