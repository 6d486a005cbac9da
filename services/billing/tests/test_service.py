"""Billing as a whole on a real nats-server: stopped and started again, it still counts once."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from voxbus_billing.settings import Settings
from voxbus_billing.wiring import wire
from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts import DEFAULT_ORG, CallRef, decode
from voxbus_contracts.events import CallEnded, CostUpdated, UsageRecorded
from voxbus_runtime.bus import Bus
from voxbus_testing.nats import bus_at, start_service

pytestmark = pytest.mark.integration


async def costs(bus: Bus, ref: CallRef) -> list[CostUpdated]:
    log = await bus.call_log(ref)
    found = [decode(m.kind, m.name, m.payload) for m in log if m.name == "cost.updated"]
    return [cost for cost in found if isinstance(cost, CostUpdated)]


async def until(bus: Bus, ref: CallRef, condition: Any) -> list[CostUpdated]:
    async with asyncio.timeout(10):
        while not condition(found := await costs(bus, ref)):
            await asyncio.sleep(0.02)
    return found


async def test_usage_before_and_after_a_restart_is_counted_once_each(nats_url: str, tmp_path: Path) -> None:
    ref = CallRef(DEFAULT_ORG, str(uuid.uuid4()))
    settings = Settings(nats_url=nats_url, data_dir=tmp_path)
    spoken = UsageRecorded(item="voice", provider="vapi", model="espeak-ng", unit="characters", quantity=10)
    async with bus_at(nats_url) as bus:
        voice = StoredPublisher(bus, "tts-worker")
        first = await start_service("billing", settings, wire, "billing-1")
        await voice.publish_stored(ref, spoken, event_id="u1")
        await until(bus, ref, lambda found: len(found) == 1)
        await first.stop()
        await voice.publish_stored(ref, spoken, event_id="u2")
        second = await start_service("billing", settings, wire, "billing-2")
        await voice.publish_stored(ref, CallEnded(pts_ms=1, reason="customer-ended-call"), event_id="u3")
        found = await until(bus, ref, lambda found: bool(found) and found[-1].ended and found[-1].version == 3)
        await second.stop()
    versions = [cost.version for cost in found]
    assert versions == sorted(set(versions))
    assert (versions[0], versions[-1]) == (1, 3)
    assert found[-1].breakdown["ttsCharacters"] == 20
