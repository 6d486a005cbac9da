"""The ledger against calls' archives: alike to the last decimal, or told what differs; made again from them."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from histories import PRICES

from voxbus_archive import ArchivedMessage, CallArchive, serialize_archive
from voxbus_billing.bill import bill
from voxbus_billing.facts import fact_of
from voxbus_billing.handlers import cost_updated
from voxbus_billing.ledger import Ledger, open_ledger
from voxbus_billing.rebuild import rebuild
from voxbus_billing.reconcile import main, reconcile, shown
from voxbus_bus import Received
from voxbus_contracts import CallRef, Envelope, Event
from voxbus_contracts.events import CallEnded, CallQueued, UsageRecorded
from voxbus_database import sqlite_url
from voxbus_objects import ObjectStore, keys, open_store

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
OTHER = CallRef("acme", "22222222-2222-4222-8222-2222222222cd")
QUEUED = CallQueued(call_type="vapi.websocketCall", transport="vapi.websocket", config_hash="9f")
SPOKEN = UsageRecorded(item="voice", provider="dear", model="grand", unit="characters", quantity=1_001)
CONNECTED = UsageRecorded(item="transport", provider="vapi.websocket", unit="ms", quantity=61_234)
ENDED = CallEnded(pts_ms=5, reason="customer-ended-call")
LOG: Sequence[tuple[str, Event]] = (("q", QUEUED), ("u1", SPOKEN), ("u2", SPOKEN), ("u3", CONNECTED), ("e", ENDED))


def log_of(ref: CallRef, events: Sequence[tuple[str, Event]]) -> list[Received]:
    return [
        Received(ref, Envelope(f"{ref.call[0]}{name}", event.schema_id(), 1_000, "w", "s"), event, event.payload(), seq)
        for seq, (name, event) in enumerate(events, start=1)
    ]


async def archive(store: ObjectStore, ref: CallRef, events: Sequence[tuple[str, Event]] = LOG) -> None:
    messages = tuple(
        ArchivedMessage(each.message.subject(ref), each.envelope.headers(), each.payload, each.stream_seq, 1)
        for each in log_of(ref, events)
    )
    await store.put(keys.archive(ref), serialize_archive(CallArchive(ref, messages)))


async def count(ledger: Ledger, ref: CallRef, events: Sequence[tuple[str, Event]] = LOG) -> None:
    await ledger.enter({ref: [fact_of(each.envelope, each.message) for each in log_of(ref, events)]})


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "objects"))


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    opened = await open_ledger(database_url, PRICES)
    yield opened
    await opened.close()


async def test_a_ledger_that_counted_everything_is_alike(ledger: Ledger, store: ObjectStore) -> None:
    for ref in (REF, OTHER):
        await count(ledger, ref)
        statement = await ledger.statement(ref)
        assert statement is not None
        await archive(store, ref, [*LOG, ("c", cost_updated(statement))])
    report = await reconcile(ledger, store)
    assert report.is_well
    assert len(report.checked) == 2


async def test_what_was_lost_and_what_was_made_up_is_named_with_its_amount(ledger: Ledger, store: ObjectStore) -> None:
    await archive(store, REF)
    await count(ledger, REF, [*LOG[:2], *LOG[3:], ("x", CONNECTED)])
    report = await reconcile(ledger, store)
    assert [str(each) for each in report.differing] == [
        f"{REF.call}: 1u2 (voice 1001 characters) was not counted",
        f"{REF.call}: 1x (transport) was counted and is not in the archive",
        f"{REF.call}: voice dear grand characters: 1001 in the ledger, 2002 by the archive (-0.3003 USD)",
        f"{REF.call}: transport vapi.websocket ms: 122468 in the ledger, 61234 by the archive (+0.008674816667 USD)",
        f"{REF.call}: vapi vapi ms: 122468 in the ledger, 61234 by the archive (+0.051028333333 USD)",
    ]
    told = json.loads(shown(report, as_json=True))
    assert told["differences"][2]["amountPicoUsd"] == -300_300_000_000


async def test_a_correction_is_made_of_reversals_and_leaves_nothing_that_differs(
    ledger: Ledger, store: ObjectStore
) -> None:
    await archive(store, REF)
    await count(ledger, REF, [*LOG[:2], *LOG[3:], ("x", CONNECTED)])
    before = await ledger.entries(REF)
    assert not (await reconcile(ledger, store, corrects=True)).is_well
    after = await ledger.entries(REF)
    assert {entry.id: entry for entry in before}.items() <= {entry.id: entry for entry in after}.items()
    assert {entry.reverses for entry in after if entry.reverses} == {"1x", "1x/vapi"}
    report = await reconcile(ledger, store, corrects=True)
    assert (report.is_well, report.corrected) == (True, 0)
    assert sum((await ledger.balances()).values()) == 0


async def test_a_cost_that_was_told_wrongly_is_found(ledger: Ledger, store: ObjectStore) -> None:
    await count(ledger, REF)
    statement = await ledger.statement(REF)
    assert statement is not None
    wrong = cost_updated(statement).model_copy(update={"total": "1"})
    await archive(store, REF, [*LOG, ("c", wrong)])
    (found,) = (await reconcile(ledger, store)).differing
    assert "was told as 1 USD" in found.what


async def test_calls_without_an_archive_are_numbered_and_no_difference(ledger: Ledger, store: ObjectStore) -> None:
    await count(ledger, REF)
    report = await reconcile(ledger, store)
    assert (report.is_well, report.without_archive) == (True, 1)


async def test_a_broken_archive_is_named_and_the_others_are_still_used(ledger: Ledger, store: ObjectStore) -> None:
    await archive(store, OTHER)
    await store.put(keys.archive(REF), b"no archive")
    report = await reconcile(ledger, store)
    assert ([each.call for each in report.unusable], report.is_well) == ([REF.call], False)
    assert [each.ref for each in report.differing] == [OTHER]
    calls, unusable = await rebuild(ledger, store)
    assert (calls, [each.call for each in unusable]) == (1, [REF.call])
    assert await ledger.statement(OTHER)


async def test_a_wiped_ledger_is_made_again_the_same(ledger: Ledger, store: ObjectStore, tmp_path: Path) -> None:
    for ref in (REF, OTHER):
        await archive(store, ref)
        await count(ledger, ref, list(reversed(LOG)))
    fresh = await open_ledger(sqlite_url(tmp_path / "fresh.db"), PRICES)
    assert await rebuild(fresh, store, REF.call) == (1, [])
    assert await fresh.statement(OTHER) is None
    for _twice in range(2):
        assert await rebuild(fresh, store) == (2, [])
    for ref in (REF, OTHER):
        one, other = await ledger.statement(ref), await fresh.statement(ref)
        assert one is not None
        assert other is not None
        assert one.account == other.account
        assert bill(one.lines) == bill(other.lines)
    assert await fresh.balances() == await ledger.balances()
    await fresh.close()


async def test_a_call_nobody_archived_is_said_so(ledger: Ledger, store: ObjectStore) -> None:
    report = await reconcile(ledger, store, call=REF.call)
    assert [str(each.problem) for each in report.unusable] == ["there is no archive of it"]


def test_a_store_that_is_none_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VOXBUS_OBJECTS_URL", "ftp://nowhere")
    monkeypatch.setenv("VOXBUS_DATA_DIR", str(tmp_path))
    assert main([]) == 2
    assert "ftp" in capsys.readouterr().err
