import asyncio
from pathlib import Path

import pytest

from voxbus_billing.handlers import Counting
from voxbus_billing.ledger import Ledger, open_ledger
from voxbus_billing.prices import PriceList
from voxbus_bus import Received
from voxbus_contracts import CallRef, Command, Envelope, Event
from voxbus_contracts.events import CallEnded, CallStarted, CostUpdated, UsageRecorded
from voxbus_database import sqlite_url
from voxbus_runtime.errors import NotStored

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
SPOKEN = UsageRecorded(item="voice", provider="vapi", model="espeak-ng", unit="characters", quantity=27)


class Said:
    """Keeps what is published; the same id counts once, as in the stream."""

    def __init__(self, failures: int = 0) -> None:
        self.by_id: dict[str, CostUpdated] = {}
        self.failures = failures

    async def publish_stored(
        self, ref: CallRef, message: Event | Command, *, event_id: str | None = None, traceparent: str = ""
    ) -> int:
        if self.failures:
            self.failures -= 1
            raise NotStored("the stream has no leader")
        assert isinstance(message, CostUpdated)
        assert event_id
        if event_id in self.by_id:
            assert self.by_id[event_id] == message, "one id, two contents"
        self.by_id[event_id] = message
        return len(self.by_id)


async def opened(folder: Path) -> Ledger:
    return await open_ledger(sqlite_url(folder / "billing.db"), PriceList())


def told_by(ledger: Ledger, said: Said) -> Counting:
    """As after a restart: nothing was told a moment ago."""
    return Counting(ledger, said, lambda: 0)


def received(message: Event, event_id: str) -> Received:
    envelope = Envelope(event_id, message.schema_id(), 1_000, "test", "tts-worker", 1, 1)
    return Received(REF, envelope, message, message.payload(), stream_seq=1)


async def test_an_event_delivered_three_times_over_a_restart_is_counted_once(tmp_path: Path) -> None:
    said = Said()
    for _ in range(3):
        ledger = await opened(tmp_path)
        await told_by(ledger, said).count([received(SPOKEN, "e1")])
        await ledger.close()
    (cost,) = said.by_id.values()
    assert cost.version == 1
    assert cost.breakdown["ttsCharacters"] == 27


async def test_a_kill_between_counting_and_publishing_loses_no_cost_and_counts_nothing_twice(tmp_path: Path) -> None:
    said = Said(failures=1)
    ledger = await opened(tmp_path)
    with pytest.raises(NotStored):
        await told_by(ledger, said).count([received(SPOKEN, "e1")])
    assert not said.by_id
    await told_by(ledger, said).count([received(SPOKEN, "e1")])
    await ledger.close()
    assert [(cost.version, cost.breakdown["ttsCharacters"]) for cost in said.by_id.values()] == [(1, 27)]


async def test_versions_grow_with_every_use_and_the_end_is_marked(tmp_path: Path) -> None:
    said = Said()
    ledger = await opened(tmp_path)
    await told_by(ledger, said).count([received(CallStarted(pts_ms=0, setup_ms=4), "e0")])
    assert not said.by_id, "nothing is used yet"
    await told_by(ledger, said).count([received(SPOKEN, "e1")])
    await told_by(ledger, said).count([received(SPOKEN, "e2")])
    await told_by(ledger, said).count([received(CallEnded(pts_ms=5, reason="customer-ended-call"), "e3")])
    await ledger.close()
    costs = list(said.by_id.values())
    assert [cost.version for cost in costs] == [2, 3, 4]
    assert [cost.ended for cost in costs] == [False, False, True]
    assert costs[-1].breakdown["ttsCharacters"] == 54
    assert costs[-1].rows[0].model_dump()["characters"] == 54


async def test_a_call_that_used_nothing_still_gets_its_final_cost(tmp_path: Path) -> None:
    said = Said()
    ledger = await opened(tmp_path)
    await told_by(ledger, said).count([received(CallEnded(pts_ms=0, reason="assistant-join-timed-out"), "e1")])
    await ledger.close()
    (cost,) = said.by_id.values()
    assert (cost.rows, cost.total, cost.ended) == ((), "0", True)


async def test_calls_do_not_share_an_account(tmp_path: Path) -> None:
    said = Said()
    ledger = await opened(tmp_path)
    other = CallRef("acme", "22222222-2222-4222-8222-2222222222cd")
    await told_by(ledger, said).count([received(SPOKEN, "e1")])
    first = received(SPOKEN, "e2")
    await told_by(ledger, said).count([Received(other, first.envelope, first.message, b"", 2)])
    await ledger.close()
    assert [cost.breakdown["ttsCharacters"] for cost in said.by_id.values()] == [27, 27]


async def test_events_of_several_calls_entered_together_give_one_cost_per_call(tmp_path: Path) -> None:
    said = Said()
    ledger = await opened(tmp_path)
    other = CallRef("acme", "22222222-2222-4222-8222-2222222222cd")
    envelope = Envelope("e3", SPOKEN.schema_id(), 1_000, "test", "tts-worker", 1, 1)
    foreign = Received(other, envelope, SPOKEN, SPOKEN.payload(), stream_seq=1)
    together = [received(SPOKEN, "e1"), foreign, received(SPOKEN, "e2"), received(SPOKEN, "e1")]
    await told_by(ledger, said).count(together)
    await ledger.close()
    assert {key: cost.breakdown["ttsCharacters"] for key, cost in said.by_id.items()} == {
        f"cost.{REF}.2": 54,
        f"cost.{other}.1": 27,
    }


async def test_waste_is_kept_apart_from_use_and_adds_up_with_it(tmp_path: Path) -> None:
    said, ledger = Said(), await opened(tmp_path)
    wasted = SPOKEN.model_copy(update={"wasted": True, "quantity": 3})
    await told_by(ledger, said).count([received(SPOKEN, "e1"), received(wasted, "e2"), received(wasted, "e2")])
    (told,) = said.by_id.values()
    assert (told.breakdown["ttsCharacters"], told.breakdown["ttsWastedCharacters"]) == (30, 3)
    await ledger.close()


async def test_a_running_call_is_told_once_a_second_and_its_end_at_once(tmp_path: Path) -> None:
    said, ledger, now_ms = Said(), await opened(tmp_path), 10
    counting = Counting(ledger, said, lambda: now_ms)
    await counting.count([received(SPOKEN, "e1")])
    await counting.count([received(SPOKEN, "e2")])
    assert [cost.version for cost in said.by_id.values()] == [1]
    telling = asyncio.create_task(counting.tell_owed())
    now_ms = 1_010
    async with asyncio.timeout(5):
        while len(said.by_id) < 2:
            await asyncio.sleep(0)
    await counting.count([received(SPOKEN, "e3")])
    await counting.count([received(CallEnded(pts_ms=5, reason="customer-ended-call"), "e4")])
    assert [(cost.version, cost.ended) for cost in said.by_id.values()] == [(1, False), (2, False), (4, True)]
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    await ledger.close()
