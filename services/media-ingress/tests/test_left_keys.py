"""What a killed media-ingress left in OWNERS is removed when its call is over, and not before."""

import uuid

import pytest

from voxbus_contracts import DEFAULT_ORG
from voxbus_contracts.config import CallConfig, Owner
from voxbus_contracts.events import CallEnded
from voxbus_contracts.streams import CONFIGS, OWNERS
from voxbus_media_ingress.left_keys import remove_left_keys
from voxbus_media_ingress.server import STAGE
from voxbus_runtime.bus import Bus
from voxbus_testing.nats import bus_at, store_config

pytestmark = pytest.mark.integration


async def attached(bus: Bus) -> CallConfig:
    """A call whose transport is at a worker that nobody hears of any more."""
    config = CallConfig(org=DEFAULT_ORG, call=str(uuid.uuid4()), created_at_ms=1, stages=("vad",))
    await store_config(bus, config)
    await bus.kv_create(OWNERS.name, config.ref.owner_key(STAGE), Owner(worker="media-ingress-dead").payload())
    return config


async def test_the_key_of_an_ended_call_is_removed_and_that_of_a_running_one_stays(nats_url: str) -> None:
    async with bus_at(nats_url) as bus:
        ended, running, forgotten = [await attached(bus) for _ in range(3)]
        vad_key = ended.ref.owner_key("vad")
        await bus.kv_create(OWNERS.name, vad_key, Owner(worker="vad-1").payload())
        await bus.publish_event(ended.ref, CallEnded(pts_ms=1, reason="x"), stage="llm-orchestrator")
        await bus.outbox.flush(2)
        await bus.kv_delete(CONFIGS.name, forgotten.ref.config_key)
        assert await remove_left_keys(bus) == 2
        assert await bus.kv_get(OWNERS.name, ended.ref.owner_key(STAGE)) is None
        assert await bus.kv_get(OWNERS.name, forgotten.ref.owner_key(STAGE)) is None
        assert await bus.kv_get(OWNERS.name, running.ref.owner_key(STAGE)) is not None
        assert await bus.kv_get(OWNERS.name, vad_key) is not None
        assert await remove_left_keys(bus) == 0
