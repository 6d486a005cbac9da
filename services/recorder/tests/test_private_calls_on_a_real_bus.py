"""What is said on a private call is on no disk: streams, buckets, objects; whoever serves the call still gets it."""

import asyncio
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from structlog import get_logger

from voxbus_archive import parse_archive
from voxbus_bus import EventBroker, Received
from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts.artifact import CompliancePlan
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import RunTool, SayOnCall
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import CallEnded, DtmfReceived, ToolFinished, TranscriptFinal
from voxbus_contracts.streams import CONTROL_API, TOOL_RUNNER
from voxbus_runtime.bus import Bus
from voxbus_runtime.errors import BadSeal
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.personal import Ciphers, new_personal_key
from voxbus_testing.nats import NatsServer, bus_at, eventually, store_config

from .conftest import Call, Place

pytestmark = pytest.mark.integration

KEY = SecretStr(Fernet.generate_key().decode())
SAID = "seven purple walruses"
FINAL = TranscriptFinal.model_validate({**TranscriptFinal.example, "text": f"{SAID} dancing"})
RUN = RunTool(tool_call_id="call-1", tool_name="x", arguments={"what": f"{SAID} here"})
FINISHED = ToolFinished(tool_call_id="call-1", tool_name="x", result=f"{SAID} found", duration_ms=1)


def config_of(place: Place, call: Call, *, private: bool) -> CallConfig:
    plan = CompliancePlan(hipaa_enabled=private)
    config = call.config.model_copy(update={"assistant": Assistant(compliance_plan=plan, recording_enabled=False)})
    return config.model_copy(update={"personal_key": new_personal_key(KEY)}) if private else config


async def an_owner(bus: Bus, config: CallConfig, stage: str, epoch: int) -> OwnedCall:
    call = OwnedCall(
        bus, config, stage, f"{stage}-{epoch}", frozenset({"transcript.final", "call.say", "tool.finished"})
    )
    await call.listen()
    await call.begin(epoch, "nowhere")
    return call


async def spoken(place: Place, call: Call, private: bool) -> CallConfig:
    """A recognizer, a tool's runner and an operator say things; an orchestrator dies and the next one reads them."""
    config = config_of(place, call, private=private)
    call.bus.cluster_key = KEY
    await store_config(call.bus, config)
    stt = await an_owner(call.bus, config, "stt-worker", 4)
    first = await an_owner(call.bus, config, "llm-orchestrator", 5)
    await stt.publish_stored(FINAL)
    await first.publish_stored(RUN)
    publisher = StoredPublisher(call.bus, "tool-runner")
    await publisher.publish_stored(call.ref, FINISHED)
    await publisher.publish_stored(call.ref, SayOnCall(content=f"{SAID} say I"))
    await stt.publish_stored(DtmfReceived(digits="12345#", pts_ms=20))
    await first.close()
    second = await an_owner(call.bus, config, "llm-orchestrator", 6)
    read = [logged.message for logged in second.history if logged.name != "stage.claimed"]
    assert read == [FINAL, FINISHED, SayOnCall(content=f"{SAID} say I")], "a takeover has every word"
    live: list[object] = []

    async def follow() -> None:
        async for logged in second.messages():
            live.append(logged.message)

    following = asyncio.create_task(follow())
    await stt.publish_stored(FINAL.model_copy(update={"transcript_seq": 2}))
    await eventually(lambda: len(live) == 1, what="the words, live")
    assert live == [FINAL.model_copy(update={"transcript_seq": 2})]
    await call.say(CallEnded(pts_ms=5_000, reason="x"), "llm-orchestrator")
    await asyncio.wait_for(following, 10)
    for each in (stt, second):
        await each.close()
    return config


def holding(folder: Path) -> list[str]:
    return [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and SAID.encode() in p.read_bytes()]


@pytest.mark.parametrize("private", [False, True])
async def test_no_word_of_a_private_call_is_on_any_disk(
    place: Place, nats_server: NatsServer, private: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same call without privacy shows that the search finds what is there."""
    monkeypatch.setattr("voxbus_recorder.archiving._SECOND_LOOK_S", 0.3)
    await place.recorder(cluster_key=KEY)
    async with place.call() as call:
        config = await spoken(place, call, private)
        stored = await call.archive()
        archive = parse_archive(await place.store.get(stored.key))
        said = b"".join(message.payload for message in archive.messages)
        assert "transcript.final" in [message.name for message in archive.messages]
        assert (SAID.encode() in said, b"12345#" in said) == (not private, not private)
        on_the_bus = b"".join(logged.payload for logged in await call.bus.call_log(call.ref))
        assert (SAID.encode() in on_the_bus) == (not private)
        if not private:
            return
        assert b"pii:v1:" in on_the_bus
        assert b"pii:v1:" not in said
        assert archive.config is not None
        assert "personal_key" not in archive.config and "personalKey" not in archive.config
        await the_key_is_gone(call.bus, config)


async def the_key_is_gone(bus: Bus, config: CallConfig) -> None:
    async with asyncio.timeout(10):
        while (left := await bus.read_config(config.ref)) is None or left.personal_key:
            await asyncio.sleep(0.05)
    assert left.is_private
    late = await Ciphers(bus).payload(config.ref, FINISHED)
    assert SAID.encode() not in late, "a late word is left out, not said in the open"


async def test_the_streams_on_disk_hold_no_word(place: Place, nats_server: NatsServer) -> None:
    async with place.call() as call:
        before = holding(nats_server.store)
        await spoken(place, call, private=True)
        await asyncio.sleep(0.5)
        assert holding(nats_server.store) == before
        await spoken_again_in_the_open(call)
        async with asyncio.timeout(10):
            while holding(nats_server.store) == before:
                await asyncio.sleep(0.1)


async def spoken_again_in_the_open(call: Call) -> None:
    await call.say(FINAL.model_copy(update={"text": f"{SAID} in the open"}), "stt-worker")


async def test_durable_readers_get_nothing_personal_and_the_tools_runner_gets_all(place: Place) -> None:
    kept: list[Received] = []
    run: list[Received] = []

    async def keep(received: Received) -> None:
        kept.append(received)

    async def act(received: Received) -> None:
        run.append(received)

    async with place.call() as call, bus_at(place.url) as tools:
        tools.cluster_key = KEY
        reader = EventBroker(place.url, "reader", get_logger())
        reader.consumes(CONTROL_API)(keep)
        runner = EventBroker(place.url, "runner", get_logger(), opened=Ciphers(tools).opened)
        runner.consumes(TOOL_RUNNER)(act)
        await reader.start()
        await runner.start()
        try:
            await spoken(place, call, private=True)
            await eventually(lambda: any(each.name == "call.ended" for each in kept), what="the records")
            await eventually(lambda: run, what="the tool")
        finally:
            await reader.stop()
            await runner.stop()
    assert not any(SAID in each.payload.decode() or "pii:v1:" in each.payload.decode() for each in kept)
    texts = [each.message.text for each in kept if isinstance(each.message, TranscriptFinal)]
    assert texts == ["", ""]
    assert [each.message for each in run] == [RUN]


async def test_a_private_call_is_not_served_without_the_cluster_key(place: Place) -> None:
    async with place.call() as call:
        config = config_of(place, call, private=True)
        with pytest.raises(BadSeal, match="VOXBUS_CLUSTER_KEY"):
            OwnedCall(call.bus, config, "stt-worker", "stt-1", frozenset())
