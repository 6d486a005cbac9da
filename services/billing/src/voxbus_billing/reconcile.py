"""`voxbus reconcile`, billing's side: recomputes every call from its archive and prints what differs from the ledger.

Exit status: 0 = all alike, 1 = differences, or archives that cannot be used, 2 = it cannot be done at all.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from voxbus_billing.errors import BillingError
from voxbus_billing.facts import counts, fact_of
from voxbus_billing.journal import Fact
from voxbus_billing.ledger import Ledger
from voxbus_billing.reconciling import Booked, Difference, Told, differences
from voxbus_billing.settings import Settings
from voxbus_billing.wiring import ledger_of
from voxbus_bus.archives import ArchivedCall, ProgressLine, UnusableArchive, read_archives
from voxbus_contracts import CallRef
from voxbus_contracts.events import CostUpdated
from voxbus_database import DatabaseFault
from voxbus_objects import ObjectFault, ObjectStore, open_store


@dataclass(slots=True)
class Report:
    """What was found."""

    checked: set[CallRef] = field(default_factory=set[CallRef])
    differing: list[Difference] = field(default_factory=list[Difference])
    unusable: list[UnusableArchive] = field(default_factory=list[UnusableArchive])
    without_archive: int = 0
    corrected: int = 0

    @property
    def is_well(self) -> bool:
        return not self.differing and not self.unusable


def facts_of_log(archived: ArchivedCall) -> list[Fact]:
    """What billing counts of a call's log, each once."""
    facts = (fact_of(each.envelope, each.message) for each in archived.events if counts(each.name))
    return list({fact.event_id: fact for fact in facts}.values())


async def reconcile(
    ledger: Ledger, store: ObjectStore, *, call: str | None = None, since_ms: int = 0, corrects: bool = False
) -> Report:
    """Calls in the ledger that have no archive (it expired, was deleted, or they are running) are only numbered."""
    report = Report()
    async for archived in read_archives(store, call=call, since_ms=since_ms, on_progress=ProgressLine("reconcile")):
        if isinstance(archived, UnusableArchive):
            report.unusable.append(archived)
            continue
        facts = facts_of_log(archived)
        found = differences(archived.ref, facts, await _booked(ledger, archived.ref), _told(archived), ledger.prices)
        report.checked.add(archived.ref)
        report.differing += found
        if found and corrects:
            report.corrected += await ledger.correct(archived.ref, facts)
    if call is None:
        known = await ledger.calls(since_ms)
        report.without_archive = sum(ref not in report.checked for ref in known)
    return report


async def _booked(ledger: Ledger, ref: CallRef) -> Booked | None:
    statement = await ledger.statement(ref)
    if statement is None:
        return None
    return Booked(statement.account, tuple(await ledger.entries(ref)), await ledger.steps(ref))


def _told(archived: ArchivedCall) -> Told | None:
    costs = [each.message for each in archived.events if isinstance(each.message, CostUpdated)]
    last = max(costs, key=lambda cost: cost.version, default=None)
    return Told(last.version, last.total) if last else None


def shown(report: Report, *, as_json: bool) -> str:
    """For a program, or a line per difference and one for all."""
    if as_json:
        return json.dumps(
            {
                "checked": len(report.checked),
                "withoutArchive": report.without_archive,
                "corrected": report.corrected,
                "differences": [
                    {"org": each.ref.org, "call": each.ref.call, "what": each.what, "amountPicoUsd": each.amount}
                    for each in report.differing
                ],
                "unusable": [{"call": each.call, "problem": each.problem} for each in report.unusable],
            }
        )
    lines = [str(each) for each in report.differing]
    lines += [f"{each.call}: {each.problem}" for each in report.unusable]
    differing = len({each.ref for each in report.differing})
    lines.append(
        f"{len(report.checked)} calls checked: {differing} differ; {len(report.unusable)} archives cannot be used; "
        f"{report.without_archive} calls of the ledger have no archive (expired, deleted, or not over yet)"
    )
    if report.corrected:
        lines.append(f"{report.corrected} rows written to correct the ledger")
    return "\n".join(lines)


async def _run(arguments: argparse.Namespace) -> int:
    settings = Settings()
    store = open_store(settings.objects_address)
    ledger = await ledger_of(settings)
    try:
        report = await reconcile(
            ledger, store, call=arguments.call, since_ms=arguments.since_ms, corrects=arguments.correct
        )
    finally:
        await ledger.close()
    sys.stdout.write(shown(report, as_json=arguments.json) + "\n")
    return 0 if report.is_well else 1


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="voxbus reconcile")
    parser.add_argument("--call", metavar="ID")
    parser.add_argument("--since-ms", type=int, default=0, metavar="MS")
    parser.add_argument("--correct", action="store_true")
    parser.add_argument("--json", action="store_true")
    try:
        return asyncio.run(_run(parser.parse_args(argv)))
    except (BillingError, DatabaseFault, ObjectFault, OSError) as problem:
        sys.stderr.write(f"voxbus reconcile: {problem}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
