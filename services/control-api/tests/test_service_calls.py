"""What happens to calls while nobody asks: on a real nats-server and over a restart."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from voxbus_contracts import DEFAULT_ORG, CallRef, decode
from voxbus_contracts.events import CallEnded, CallQueued
from voxbus_control_api.reaper import NO_CARRIER
from voxbus_control_api.settings import Settings
from voxbus_control_api.wiring import ControlApi, wire
from voxbus_runtime.bus import Bus
from voxbus_testing.nats import bus_at, start_service

pytestmark = pytest.mark.integration

KEY = "vb_test"
WEBSOCKET = {"provider": "vapi.websocket"}
NUMBER = {"twilioPhoneNumber": "+15550001111", "twilioAccountSid": "AC1"}


@asynccontextmanager
async def api_at(nats_url: str, data_dir: Path) -> AsyncGenerator[httpx.AsyncClient]:
    configured = Settings(nats_url=nats_url, data_dir=data_dir, api_port=0, api_key=SecretStr(KEY))
    service = await start_service("control-api", configured, wire, f"control-api-{uuid.uuid4().hex[:6]}")
    assert isinstance(service.component, ControlApi)
    url = f"http://127.0.0.1:{service.component.server.port}"
    try:
        async with httpx.AsyncClient(
            base_url=url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False
        ) as client:
            yield client
    finally:
        await service.stop()


async def until(client: httpx.AsyncClient, call_id: str, status: str) -> dict[str, Any]:
    async with asyncio.timeout(15):
        while (call := (await client.get(f"/call/{call_id}")).json())["status"] != status:
            await asyncio.sleep(0.02)
    return call


async def events_of(bus: Bus, call_id: str) -> list[Any]:
    logged = await bus.call_log(CallRef(DEFAULT_ORG, call_id))
    return [decode(message.kind, message.name, message.payload) for message in logged]


async def test_a_phone_call_without_a_carrier_ends_honestly_and_on_the_bus(nats_url: str, tmp_path: Path) -> None:
    async with bus_at(nats_url) as bus, api_at(nats_url, tmp_path) as client:
        body = {"assistant": {}, "phoneNumber": NUMBER, "customer": {"number": "+14155551234"}}
        call = (await client.post("/call", json=body)).json()
        ended = await until(client, call["id"], "ended")
        assert ended["endedReason"] == NO_CARRIER
        assert "nobody was dialled" in ended["endedMessage"]
        assert "startedAt" not in ended
        assert {type(event) for event in await events_of(bus, call["id"])} == {CallQueued, CallEnded}


async def test_a_scheduled_call_is_started_by_the_process_that_is_there_then(nats_url: str, tmp_path: Path) -> None:
    async with bus_at(nats_url) as bus:
        async with api_at(nats_url, tmp_path) as client:
            soon = datetime.now(UTC) + timedelta(seconds=2)
            plan = {"earliestAt": soon.isoformat()}
            body = {"assistant": {}, "transport": WEBSOCKET, "schedulePlan": plan}
            call = (await client.post("/call", json=body)).json()
            assert call["status"] == "scheduled"
            assert await events_of(bus, call["id"]) == []
        async with api_at(nats_url, tmp_path) as client:
            queued = await until(client, call["id"], "queued")
            assert datetime.now(UTC) >= soon
            assert queued["transport"]["websocketCallUrl"] == call["transport"]["websocketCallUrl"]
        (event,) = await events_of(bus, call["id"])
        assert isinstance(event, CallQueued)
        assert await bus.read_config(CallRef(DEFAULT_ORG, call["id"])) is not None
