from pathlib import Path

import pytest

from voxbus_billing.handlers import count
from voxbus_billing.ledger import open_ledger
from voxbus_billing.prices import PriceTable
from voxbus_bus import Received
from voxbus_contracts import CallRef, Command, Envelope, Event
from voxbus_contracts.events import CallEnded, CallStarted, CostUpdated, UsageRecorded
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


def received(message: Event, event_id: str) -> Received:
    envelope = Envelope(event_id, message.schema_id(), 1_000, "test", "tts-worker", 1, 1)
    return Received(REF, envelope, message, message.payload(), stream_seq=1)


async def test_an_event_delivered_three_times_over_a_restart_is_counted_once(tmp_path: Path) -> None:
    said = Said()
    for _ in range(3):
        ledger = await open_ledger(tmp_path / "billing.db")
        await count([received(SPOKEN, "e1")], ledger, PriceTable(), said)
        await ledger.close()
    (cost,) = said.by_id.values()
    assert cost.version == 1
    assert cost.breakdown["ttsCharacters"] == 27


async def test_a_kill_between_counting_and_publishing_loses_no_cost_and_counts_nothing_twice(tmp_path: Path) -> None:
    said = Said(failures=1)
    ledger = await open_ledger(tmp_path / "billing.db")
    with pytest.raises(NotStored):
        await count([received(SPOKEN, "e1")], ledger, PriceTable(), said)
    assert not said.by_id
    await count([received(SPOKEN, "e1")], ledger, PriceTable(), said)
    await ledger.close()
    assert [(cost.version, cost.breakdown["ttsCharacters"]) for cost in said.by_id.values()] == [(1, 27)]


async def test_versions_grow_with_every_use_and_the_end_is_marked(tmp_path: Path) -> None:
    said = Said()
    ledger = await open_ledger(tmp_path / "billing.db")
    await count([received(CallStarted(pts_ms=0, setup_ms=4), "e0")], ledger, PriceTable(), said)
    assert not said.by_id, "nothing is used yet"
    await count([received(SPOKEN, "e1")], ledger, PriceTable(), said)
    await count([received(SPOKEN, "e2")], ledger, PriceTable(), said)
    await count([received(CallEnded(pts_ms=5, reason="customer-ended-call"), "e3")], ledger, PriceTable(), said)
    await ledger.close()
    costs = list(said.by_id.values())
    assert [cost.version for cost in costs] == [2, 3, 4]
    assert [cost.ended for cost in costs] == [False, False, True]
    assert costs[-1].breakdown["ttsCharacters"] == 54
    assert costs[-1].rows[0].model_dump()["characters"] == 54


async def test_a_call_that_used_nothing_still_gets_its_final_cost(tmp_path: Path) -> None:
    said = Said()
    ledger = await open_ledger(tmp_path / "billing.db")
    await count([received(CallEnded(pts_ms=0, reason="assistant-join-timed-out"), "e1")], ledger, PriceTable(), said)
    await ledger.close()
    (cost,) = said.by_id.values()
    assert (cost.rows, cost.total, cost.ended) == ((), "0", True)


async def test_calls_do_not_share_an_account(tmp_path: Path) -> None:
    said = Said()
    ledger = await open_ledger(tmp_path / "billing.db")
    other = CallRef("acme", "22222222-2222-4222-8222-2222222222cd")
    await count([received(SPOKEN, "e1")], ledger, PriceTable(), said)
    first = received(SPOKEN, "e2")
    await count([Received(other, first.envelope, first.message, b"", 2)], ledger, PriceTable(), said)
    await ledger.close()
    assert [cost.breakdown["ttsCharacters"] for cost in said.by_id.values()] == [27, 27]


async def test_events_of_several_calls_entered_together_give_one_cost_per_call(tmp_path: Path) -> None:
    said = Said()
    ledger = await open_ledger(tmp_path / "billing.db")
    other = CallRef("acme", "22222222-2222-4222-8222-2222222222cd")
    envelope = Envelope("e3", SPOKEN.schema_id(), 1_000, "test", "tts-worker", 1, 1)
    foreign = Received(other, envelope, SPOKEN, SPOKEN.payload(), stream_seq=1)
    together = [received(SPOKEN, "e1"), foreign, received(SPOKEN, "e2"), received(SPOKEN, "e1")]
    await count(together, ledger, PriceTable(), said)
    await ledger.close()
    assert {key: cost.breakdown["ttsCharacters"] for key, cost in said.by_id.items()} == {
        f"cost.{REF}.2": 54,
        f"cost.{other}.1": 27,
    }


async def test_waste_is_kept_apart_from_use_and_adds_up_with_it(tmp_path: Path) -> None:
    said, ledger = Said(), await open_ledger(tmp_path / "billing.db")
    wasted = SPOKEN.model_copy(update={"wasted": True, "quantity": 3})
    await count([received(SPOKEN, "e1"), received(wasted, "e2"), received(wasted, "e2")], ledger, PriceTable(), said)
    (told,) = said.by_id.values()
    assert (told.breakdown["ttsCharacters"], told.breakdown["ttsWastedCharacters"]) == (30, 3)
    await ledger.close()
