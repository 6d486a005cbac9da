"""Whatever is delivered, how often, in what order, and wherever the process dies: the ledger is the sum of the log."""

import asyncio
import itertools
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from histories import PRICES, Delivery, deliveries, expected_total, refs
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine, event

from voxbus_billing.account import recount
from voxbus_billing.bill import bill
from voxbus_billing.journal import Fact, lines, standing
from voxbus_billing.ledger import Ledger, open_ledger
from voxbus_billing.money import picos
from voxbus_contracts import CallRef

_RUNS = itertools.count(1)


class ProcessDied(Exception):
    """In the middle of a transaction."""


@contextmanager
def dying_after(statements: int | None) -> Generator[None]:
    """The process dies before the statement after so many."""
    left = itertools.count()

    def count(*_: Any) -> None:
        if statements is not None and next(left) >= statements:
            raise ProcessDied

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", count)


def of_run(fact: Fact, run: int) -> Fact:
    """Event ids are unique over all calls."""
    return replace(fact, event_id=f"{run}:{fact.event_id}")


async def deliver(ledger: Ledger, plan: list[Delivery], run: int) -> dict[CallRef, list[Fact]]:
    """Everything until it is acknowledged; gives back the log."""
    log: dict[CallRef, list[Fact]] = {}
    waiting = list(plan)
    while waiting:
        delivery = waiting.pop(0)
        batch: dict[CallRef, list[Fact]] = {}
        for call, fact in delivery.batch:
            batch.setdefault(refs(run)[call], []).append(of_run(fact, run))
            log.setdefault(refs(run)[call], []).append(of_run(fact, run))
        try:
            with dying_after(delivery.cut_after):
                await ledger.enter(batch)
        except ProcessDied:
            waiting.append(replace(delivery, cut_after=None))
        else:
            if not delivery.is_acknowledged:
                waiting.append(replace(delivery, is_acknowledged=True))
    return log


async def check(ledger: Ledger, log: dict[CallRef, list[Fact]]) -> None:
    for ref, facts in log.items():
        statement = await ledger.statement(ref)
        assert statement is not None
        account, fresh = recount(ref, facts, PRICES)
        assert statement.account == account
        told = bill(statement.lines)
        assert picos(told.total) == expected_total(facts).scaleb(12)
        assert told.total == bill(lines(fresh)).total
        assert {line.use: line.amount for line in statement.lines} == {line.use: line.amount for line in lines(fresh)}
        written = await ledger.entries(ref)
        assert all(sum(posting.amount for posting in entry.postings) == 0 for entry in written)
        stands = {(entry.event_id, entry.use): set(entry.postings) for entry in standing(written)}
        assert stands == {(entry.event_id, entry.use): set(entry.postings) for entry in fresh}
    assert sum((await ledger.balances()).values()) == 0


def test_the_ledger_is_the_sum_of_the_log_to_the_last_decimal(database_url: str) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(deliveries())
    def whatever_happens(plan: list[Delivery]) -> None:
        asyncio.run(scenario(plan, next(_RUNS)))

    async def scenario(plan: list[Delivery], run: int) -> None:
        ledger = await open_ledger(database_url, PRICES)
        try:
            await check(ledger, await deliver(ledger, plan, run))
        finally:
            await ledger.close()

    whatever_happens()


async def test_two_replicas_that_count_the_same_call_at_once_count_it_once(database_url: str) -> None:
    ref, _ = refs(next(_RUNS))
    one, other = [await open_ledger(database_url, PRICES) for _ in range(2)]
    facts = [Fact(f"e{number}", "call.started", 2_000 - number) for number in range(40)]
    batches = [facts[start : start + 10] for start in range(0, 35, 5)]
    entered = await asyncio.gather(*((one, other)[n % 2].enter({ref: batch}) for n, batch in enumerate(batches)))
    assert sorted(event_id for each in entered for event_id in each.new) == sorted(fact.event_id for fact in facts)
    versions = [each.statements[0].account.version for each in entered]
    assert max(versions) == 40
    assert len(set(versions)) == len([each for each in entered if each.new])
    for ledger in (one, other):
        await ledger.close()


@pytest.mark.parametrize("start_ms", [999_999, 1_000_000])
async def test_the_boundary_of_a_version_belongs_to_it(database_url: str, start_ms: int) -> None:
    ledger = await open_ledger(database_url, PRICES)
    ref, _ = refs(next(_RUNS))
    await ledger.enter({ref: [Fact("e1", "call.queued", start_ms)]})
    statement = await ledger.statement(ref)
    await ledger.close()
    assert statement is not None
    assert statement.account.price_version.partition("@")[0] == ("base" if start_ms < 1_000_000 else "second")
