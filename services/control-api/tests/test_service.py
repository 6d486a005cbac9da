"""The control API as a whole: real HTTP, a real nats-server, a real database."""

import asyncio
import socket
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts import DEFAULT_ORG, CallRef, decode
from voxbus_contracts.commands import EndCall, SayOnCall
from voxbus_contracts.config import Owner, config_hash
from voxbus_contracts.events import CallEnded, CallQueued, CallStarted, MediaAttached, TurnCommitted
from voxbus_contracts.streams import CONFIGS, OWNERS
from voxbus_control_api.errors import PortTaken
from voxbus_control_api.http.server import bound_socket
from voxbus_control_api.reaper import JOIN_TIMED_OUT, NEVER_CONNECTED
from voxbus_control_api.settings import Settings
from voxbus_control_api.wiring import ControlApi, wire
from voxbus_runtime.bus import Bus
from voxbus_runtime.telemetry import set_up_telemetry
from voxbus_testing.nats import RunningService, bus_at, start_service

pytestmark = pytest.mark.integration

KEY = "vb_test"
WEBSOCKET = {"provider": "vapi.websocket"}
ATTACHED = MediaAttached(attachment=1, transport="t", encoding="e", sample_rate_hz=8000, pts_ms=0, resumed=False)


def settings(nats_url: str, data_dir: Path, **more: Any) -> Settings:
    return Settings(nats_url=nats_url, data_dir=data_dir, api_port=0, api_key=SecretStr(KEY), **more)


@pytest.fixture
def on_any(nats_url: str, tmp_path: Path, database_url: str) -> Settings:
    """On SQLite in one run of the test, on PostgreSQL in another."""
    return settings(nats_url, tmp_path, database_url=SecretStr(database_url))


@asynccontextmanager
async def api_at(configured: Settings) -> AsyncGenerator[httpx.AsyncClient]:
    service: RunningService = await start_service(
        "control-api", configured, wire, f"control-api-{uuid.uuid4().hex[:6]}"
    )
    assert isinstance(service.component, ControlApi)
    headers = {"authorization": f"Bearer {KEY}"}
    base_url = f"http://127.0.0.1:{service.component.server.port}"
    try:
        async with httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False) as client:
            yield client
    finally:
        await service.stop()


async def created(client: httpx.AsyncClient) -> dict[str, Any]:
    response = await client.post("/call", json={"assistant": {}, "transport": WEBSOCKET})
    assert response.status_code == 201, response.text
    return response.json()


async def until(client: httpx.AsyncClient, call_id: str, status: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while (call := (await client.get(f"/call/{call_id}")).json())["status"] != status:
            await asyncio.sleep(0.02)
    return call


async def on_the_bus(bus: Bus, ref: CallRef) -> list[Any]:
    return [decode(message.kind, message.name, message.payload) for message in await bus.call_log(ref)]


async def test_a_call_is_made_known_on_the_bus_and_its_events_become_its_record(on_any: Settings) -> None:
    set_up_telemetry("control-api", "test", None)
    async with bus_at(on_any.nats_url) as bus, api_at(on_any) as client:
        call = await created(client)
        ref = CallRef(DEFAULT_ORG, call["id"])
        config = await bus.read_config(ref)
        assert config is not None
        entry = await bus.kv_get(CONFIGS.name, ref.config_key)
        (queued,) = await on_the_bus(bus, ref)
        assert isinstance(queued, CallQueued)
        assert entry is not None
        assert queued.config_hash == config_hash(entry.value or b"")
        (logged,) = await bus.call_log(ref)
        assert logged.envelope.stage == "control-api"
        assert logged.envelope.traceparent == config.traceparent != ""
        said = StoredPublisher(bus, "llm-orchestrator")
        await said.publish_stored(ref, CallStarted(pts_ms=0, setup_ms=1))
        turn = TurnCommitted(turn=1, text="hello", transcript_seqs=(), anchor_pts_ms=9, pts_ms=9, reason="r")
        await said.publish_stored(ref, turn)
        await said.publish_stored(ref, CallEnded(pts_ms=10, reason="customer-ended-call"))
        record = await until(client, call["id"], "ended")
    assert record["endedReason"] == "customer-ended-call"
    assert record["artifact"]["transcript"] == "User: hello\n"


async def test_calls_and_assistants_are_there_after_a_restart(on_any: Settings) -> None:
    configured = on_any
    async with bus_at(on_any.nats_url) as bus:
        async with api_at(configured) as client:
            assistant = (await client.post("/assistant", json={"name": "A"})).json()
            call = await created(client)
        ended = CallEnded(pts_ms=10, reason="customer-ended-call")
        await StoredPublisher(bus, "llm-orchestrator").publish_stored(CallRef(DEFAULT_ORG, call["id"]), ended)
        async with api_at(configured) as client:
            record = await until(client, call["id"], "ended")
            assert record["createdAt"] == call["createdAt"]
            listed = [each["id"] for each in (await client.get("/assistant")).json()]
    assert listed == [assistant["id"], configured.default_assistant]


async def test_a_call_nobody_connects_to_is_ended(nats_url: str, tmp_path: Path) -> None:
    async with bus_at(nats_url) as bus, api_at(settings(nats_url, tmp_path, join_timeout_ms=300)) as client:
        call = await created(client)
        record = await until(client, call["id"], "ended")
        assert record["endedReason"] == NEVER_CONNECTED
        ref = CallRef(DEFAULT_ORG, call["id"])
        assert await bus.kv_get(OWNERS.name, ref.owner_key("llm-orchestrator")) is None


async def test_a_connected_call_no_orchestrator_claims_is_ended(nats_url: str, tmp_path: Path) -> None:
    async with bus_at(nats_url) as bus, api_at(settings(nats_url, tmp_path, join_timeout_ms=1_000)) as client:
        call = await created(client)
        await StoredPublisher(bus, "media-ingress").publish_stored(CallRef(DEFAULT_ORG, call["id"]), ATTACHED)
        record = await until(client, call["id"], "ended")
    assert record["endedReason"] == JOIN_TIMED_OUT


async def test_a_call_that_was_refused_before_an_orchestrator_had_it_ends_at_once_and_says_why(
    nats_url: str, tmp_path: Path
) -> None:
    async with bus_at(nats_url) as bus, api_at(settings(nats_url, tmp_path)) as client:
        call = await created(client)
        media = StoredPublisher(bus, "media-ingress")
        await media.publish_stored(CallRef(DEFAULT_ORG, call["id"]), ATTACHED)
        await media.publish_stored(CallRef(DEFAULT_ORG, call["id"]), EndCall(reason="no-room", message="no slot"))
        record = await until(client, call["id"], "ended")
    assert (record["endedReason"], record["endedMessage"]) == ("no-room", "no slot")


async def test_a_call_an_orchestrator_owns_is_left_to_it(nats_url: str, tmp_path: Path) -> None:
    async with bus_at(nats_url) as bus, api_at(settings(nats_url, tmp_path, join_timeout_ms=300)) as client:
        call = await created(client)
        ref = CallRef(DEFAULT_ORG, call["id"])
        await bus.kv_create(OWNERS.name, ref.owner_key("llm-orchestrator"), Owner(worker="llm-1").payload())
        other = await created(client)
        await until(client, other["id"], "ended")
        assert (await client.get(f"/call/{call['id']}")).json()["status"] == "queued"
        assert [type(message) for message in await on_the_bus(bus, ref)] == [CallQueued]


async def test_an_ended_call_is_not_ended_again_when_its_record_lags_behind(nats_url: str, tmp_path: Path) -> None:
    configured = settings(nats_url, tmp_path, join_timeout_ms=300)
    async with bus_at(nats_url) as bus:
        async with api_at(configured) as client:
            call = await created(client)
        ref = CallRef(DEFAULT_ORG, call["id"])
        ended = CallEnded(pts_ms=10, reason="customer-ended-call")
        await StoredPublisher(bus, "llm-orchestrator").publish_stored(ref, ended)
        await bus.js.delete_consumer("EVENTS", "control-api")
        await _reap_without_consumer(configured)
        assert [message.reason for message in await on_the_bus(bus, ref) if isinstance(message, CallEnded)] == [
            "customer-ended-call"
        ]


async def _reap_without_consumer(configured: Settings) -> None:
    """One round of the reaper on a record that has not seen the call's end."""
    import structlog

    from voxbus_control_api.call_bus import CallBus
    from voxbus_control_api.calls.open_calls import OpenCalls
    from voxbus_control_api.database import SCHEMA
    from voxbus_control_api.reaper import Reaper
    from voxbus_database import open_database, sqlite_url

    default = sqlite_url(configured.data_dir / "control-api" / "control.db")
    database = await open_database(configured.database_or(default), SCHEMA)
    calls = OpenCalls(database)
    async with bus_at(configured.nats_url) as bus:
        ends = CallBus(bus, StoredPublisher(bus, "control-api"))
        reaper = Reaper(calls.waiting, ends, structlog.get_logger(), join_timeout_ms=1, now_ms=lambda: 2**42)
        assert len(await calls.waiting()) == 1
        await reaper.look()
    await database.close()


async def test_a_call_beyond_the_limit_waits_on_the_bus_until_another_ends(on_any: Settings) -> None:
    configured = on_any.model_copy(update={"concurrency_limit": 1})
    async with bus_at(on_any.nats_url) as bus, api_at(configured) as client:
        first, second = await created(client), await created(client)
        assert second["subscriptionLimits"]["concurrencyBlocked"] is True
        ref = CallRef(DEFAULT_ORG, second["id"])
        config = await bus.read_config(ref)
        assert config is not None
        assert config.is_waiting
        assert await on_the_bus(bus, ref) == []
        ended = CallEnded(pts_ms=10, reason="customer-ended-call")
        await StoredPublisher(bus, "llm-orchestrator").publish_stored(CallRef(DEFAULT_ORG, first["id"]), ended)
        async with asyncio.timeout(20):
            while not await on_the_bus(bus, ref):
                await asyncio.sleep(0.05)
        config = await bus.read_config(ref)
        assert config is not None
        assert not config.is_waiting
        entry = await bus.kv_get(CONFIGS.name, ref.config_key)
        (queued,) = await on_the_bus(bus, ref)
        assert entry is not None
        assert queued.config_hash == config_hash(entry.value or b"")


async def test_two_replicas_start_at_once_on_one_database(on_any: Settings) -> None:
    async with bus_at(on_any.nats_url), api_at(on_any) as first, api_at(on_any) as second:
        call = await created(first)
        assert (await second.get(f"/call/{call['id']}")).json()["id"] == call["id"]


async def test_a_control_message_reaches_the_bus_as_a_command(nats_url: str, tmp_path: Path) -> None:
    async with bus_at(nats_url) as bus, api_at(settings(nats_url, tmp_path)) as client:
        call = await created(client)
        response = await client.post(f"/call/{call['id']}/control", json={"type": "say", "content": "One moment."})
        assert response.status_code == 200
        messages = await on_the_bus(bus, CallRef(DEFAULT_ORG, call["id"]))
    assert messages[-1] == SayOnCall(content="One moment.")


async def test_health_tells_whether_the_bus_is_there(nats_url: str, tmp_path: Path) -> None:
    async with api_at(settings(nats_url, tmp_path)) as client:
        response = await client.get("/health")
    assert (response.status_code, response.json()["status"]) == (200, "ok")


def test_a_used_port_is_named_at_start() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port}"):
            bound_socket("127.0.0.1", port)
