"""Dead letters on a real bus: one organisation's, sent again once, gone with their call."""

import uuid

import pytest

from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts import CallRef
from voxbus_contracts.delivery import AGAIN, SERVER, DeadLetter, Delivery, Place, read_delivery
from voxbus_contracts.streams import DELIVERIES
from voxbus_control_api.call_bus import CallBus
from voxbus_control_api.messages.dead_letters import DeadLetters
from voxbus_runtime.bus import Bus
from voxbus_runtime.stream_reader import read
from voxbus_testing.nats import bus_at

pytestmark = pytest.mark.integration


def call_of(org: str) -> CallRef:
    return CallRef(org, str(uuid.uuid4()))


async def given_up(bus: Bus, ref: CallRef, number: int, failed_at_ms: int = 9) -> Delivery:
    delivery = Delivery(ref, SERVER, "hang", Place(number, 0), 1, b'{"message":{}}')
    letter = DeadLetter(delivery, "server-too-slow", 0, 4, failed_at_ms)
    await bus.js.publish(letter.subject, delivery.payload(), headers=letter.headers())
    return delivery


async def on_their_way(bus: Bus, ref: CallRef) -> list[Delivery]:
    stored = [each async for each in read(bus.nc, DELIVERIES.name, ref.all_deliveries)]
    return [read_delivery(each.subject, each.headers, each.data) for each in stored]


async def test_an_organisation_sees_its_own_newest_first(nats_url: str) -> None:
    mine, theirs = call_of("acme"), call_of("globex")
    async with bus_at(nats_url) as bus:
        for number in (1, 2):
            await given_up(bus, mine, number)
        await given_up(bus, theirs, 3)
        letters = DeadLetters(bus)
        found = [each.letter.delivery.id for each in await letters.of_org("acme", 10)]
        assert found == [f"{mine.call}.2.0", f"{mine.call}.1.0"]
        assert await letters.of_call(CallRef("acme", theirs.call), 10) == []


async def test_a_letter_is_sent_again_once_however_often_it_is_asked_for(nats_url: str) -> None:
    ref = call_of("acme")
    async with bus_at(nats_url) as bus:
        sent = await given_up(bus, ref, 1)
        letters = DeadLetters(bus)
        (kept,) = await letters.of_call(ref, 10)
        await letters.send_again(kept)
        await letters.send_again(kept)
        (again,) = await on_their_way(bus, ref)
        assert (again.target, again.id, again.body) == (AGAIN, sent.id, sent.body)
        assert await letters.of_call(ref, 10) == []


async def test_given_up_again_it_is_one_letter_and_can_be_sent_again(nats_url: str) -> None:
    ref = call_of("acme")
    async with bus_at(nats_url) as bus:
        letters = DeadLetters(bus)
        for failed_at_ms in (9, 11):
            await given_up(bus, ref, 1, failed_at_ms)
            (kept,) = await letters.of_call(ref, 10)
            assert kept.letter.failed_at_ms == failed_at_ms
            await letters.send_again(kept)
        assert len(await on_their_way(bus, ref)) == 2


async def test_nothing_of_a_deleted_call_stays_on_its_way(nats_url: str) -> None:
    gone, other = call_of("acme"), call_of("acme")
    async with bus_at(nats_url) as bus:
        for ref in (gone, other):
            delivery = await given_up(bus, ref, 1)
            await bus.js.publish(delivery.subject, delivery.payload(), headers=delivery.headers())
        await CallBus(bus, StoredPublisher(bus, "control-api")).tell_deleted(gone)
        letters = DeadLetters(bus)
        assert await on_their_way(bus, gone) == []
        assert await letters.of_call(gone, 10) == []
        assert len(await on_their_way(bus, other)) == 1
        assert len(await letters.of_call(other, 10)) == 1


async def test_only_as_many_as_were_asked_for_are_found_however_far_back_they_lie(nats_url: str) -> None:
    org, ref = f"org-{uuid.uuid4().hex[:8]}", call_of("globex")
    mine = call_of(org)
    async with bus_at(nats_url) as bus:
        letters = DeadLetters(bus)
        assert await letters.of_org(org, 5) == []
        for number in range(1, 8):
            await given_up(bus, mine, number)
            for other in range(number * 5):
                await given_up(bus, ref, 1_000 * number + other)
        await given_up(bus, mine, 3, failed_at_ms=77)
        wanted = [f"{mine.call}.{number}.0" for number in (3, 7, 6, 5, 4, 2, 1)]
        for limit in range(9):
            found = await letters.of_org(org, limit)
            assert [each.letter.delivery.id for each in found] == wanted[:limit]
            assert await letters.of_call(mine, limit) == found
        first = await letters.find(mine, wanted[0])
        assert first is not None
        assert first.letter.failed_at_ms == 77
        assert await letters.find(mine, f"{mine.call}.99.0") is None
