"""Records that are made again from calls' archives answer as they did before."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import delete, select, update

from voxbus_archive import ArchivedMessage, CallArchive, serialize_archive
from voxbus_contracts import Envelope
from voxbus_contracts import events as e
from voxbus_contracts.config import CallConfig
from voxbus_contracts.message import Event
from voxbus_control_api.database import CALL_EVENTS, CALLS, Database
from voxbus_control_api.event_store import EventRow
from voxbus_control_api.rebuild import rebuild
from voxbus_objects import ObjectStore, keys, open_store

ROW = e.CostRow.model_validate({"type": "voice", "cost": "0.3", "voice": {"model": "grand"}, "characters": 27})
LOG: tuple[Event, ...] = (
    e.CallQueued(call_type="webCall", transport="vapi.websocket", config_hash="9f"),
    e.CallStarted(pts_ms=100, setup_ms=4),
    e.UsageRecorded(item="voice", provider="vapi", unit="characters", quantity=27),
    e.ReplyFinished(reply=1, turn=0, heard="Hello.", pts_ms=1_500),
    e.CallEnded(pts_ms=6_100, reason="customer-ended-call"),
    e.CostUpdated(version=3, rows=(ROW,), breakdown={"tts": "0.3"}, total="0.3", ended=True),
)
ASKED: dict[str, Any] = {
    "assistant": {"name": "Ann", "model": {"messages": [{"role": "system", "content": "Be brief."}]}},
    "assistantOverrides": {"variableValues": {"name": "Zoë"}},
    "metadata": {"order": {"id": 4711}},
    "name": "first",
}


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "objects"))


def archived(config: CallConfig) -> list[ArchivedMessage]:
    ref = config.ref
    made: list[ArchivedMessage] = []
    for seq, message in enumerate(LOG, start=1):
        envelope = Envelope(
            f"{ref.call}.{seq}", message.schema_id(), 1_700_000_000_000 + seq, "w", "llm-orchestrator", 1, seq
        )
        made.append(ArchivedMessage(message.subject(ref), envelope.headers(), message.payload(), seq, 1))
    return made


async def ended_call(server: Any, store: ObjectStore, **more: Any) -> tuple[CallConfig, dict[str, Any]]:
    """A call that was made over the API, has happened, and is archived; and its record."""
    call = await server.call(**{**ASKED, **more})
    config = await server.bus.stored_config(next(each.ref for each in server.bus.configs if each.call == call["id"]))
    for each in archived(config):
        await server.events.add([as_row(config, each)])
    log = CallArchive(config.ref, tuple(archived(config)), as_kept(config))
    await store.put(keys.archive(config.ref), serialize_archive(log))
    return config, (await server.client.get(f"/call/{call['id']}")).json()


def as_kept(config: CallConfig) -> dict[str, Any]:
    """As it lies in CONFIGS."""
    return CallConfig.model_validate_json(config.payload()).model_dump(mode="json", by_alias=True, exclude_unset=True)


def as_row(config: CallConfig, message: ArchivedMessage) -> EventRow:
    envelope = message.envelope
    return EventRow(
        event_id=envelope.event_id,
        call=config.call,
        stream_seq=message.stream_seq,
        name=message.name,
        stage=envelope.stage,
        epoch=envelope.epoch,
        number=envelope.number,
        occurred_at_ms=envelope.occurred_at_ms,
        payload=message.payload.decode(),
    )


async def wipe(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(delete(CALL_EVENTS))
        await connection.execute(delete(CALLS))


async def searched_by(database: Database) -> list[dict[str, Any]]:
    """Rows of the table of calls, but for the cache and its generation."""
    async with database.read() as connection:
        rows = (await connection.execute(select(CALLS))).mappings().all()
    return [{name: row[name] for name in row if "record" not in name and name != "generation"} for row in rows]


async def test_a_wiped_database_answers_again_as_before(server: Any, database: Database, store: ObjectStore) -> None:
    config, before = await ended_call(server, store)
    assert (before["status"], before["cost"], before["metadata"]) == ("ended", 0.3, ASKED["metadata"])
    others = (await server.client.get("/call")).json()
    found = await searched_by(database)
    await wipe(database)
    assert (await server.client.get(f"/call/{config.call}")).status_code == 404
    for _twice in range(2):
        made = await rebuild(server.starter.calls, server.events, store, server.starter.cluster_key)
        assert (made.calls, made.unusable, made.without_request) == (1, [], [])
        assert (await server.client.get(f"/call/{config.call}")).json() == before
    assert (await server.client.get("/call")).json() == others
    assert await searched_by(database) == found


async def test_what_is_there_already_stays(server: Any, database: Database, store: ObjectStore) -> None:
    config, _ = await ended_call(server, store)
    renamed = (await server.client.patch(f"/call/{config.call}", json={"name": "second"})).json()
    await rebuild(server.starter.calls, server.events, store, server.starter.cluster_key)
    after = (await server.client.get(f"/call/{config.call}")).json()
    assert (after["name"], after["messages"]) == (renamed["name"], renamed["messages"])


async def test_a_deleted_call_does_not_come_back(server: Any, database: Database, store: ObjectStore) -> None:
    config, _ = await ended_call(server, store)
    async with database.write() as connection:
        await connection.execute(delete(CALL_EVENTS))
        await connection.execute(update(CALLS).values(deleted_at_ms=1))
    await rebuild(server.starter.calls, server.events, store, server.starter.cluster_key)
    assert (await server.client.get(f"/call/{config.call}")).status_code == 404


async def test_a_broken_archive_is_named_and_the_others_are_made_again(
    server: Any, database: Database, store: ObjectStore
) -> None:
    first, _ = await ended_call(server, store)
    second, before = await ended_call(server, store, name="another")
    await store.put(keys.archive(first.ref), (await store.get(keys.archive(first.ref)))[:-9])
    await wipe(database)
    made = await rebuild(server.starter.calls, server.events, store, server.starter.cluster_key)
    assert ([each.call for each in made.unusable], made.calls) == ([first.call], 1)
    assert (await server.client.get(f"/call/{second.call}")).json() == before


async def test_only_the_call_that_is_named_is_made_again(server: Any, database: Database, store: ObjectStore) -> None:
    first, _ = await ended_call(server, store)
    await ended_call(server, store)
    await wipe(database)
    made = await rebuild(server.starter.calls, server.events, store, server.starter.cluster_key, first.call)
    assert made.calls == 1
    assert [each["id"] for each in (await server.client.get("/call")).json()] == [first.call]


async def test_another_cluster_key_is_said_and_opens_nothing(
    server: Any, database: Database, store: ObjectStore
) -> None:
    config, _ = await ended_call(server, store)
    await wipe(database)
    other = SecretStr(Fernet.generate_key().decode())
    made = await rebuild(server.starter.calls, server.events, store, other)
    assert [(each.call, "cluster key" in each.problem) for each in made.unusable] == [(config.call, True)]


async def test_an_archive_without_its_configuration_gives_what_the_log_tells(
    server: Any, database: Database, store: ObjectStore
) -> None:
    config, before = await ended_call(server, store)
    await store.put(keys.archive(config.ref), serialize_archive(CallArchive(config.ref, tuple(archived(config)))))
    await wipe(database)
    made = await rebuild(server.starter.calls, server.events, store, server.starter.cluster_key)
    assert made.without_request == [config.call]
    after = (await server.client.get(f"/call/{config.call}")).json()
    for name in ("status", "type", "endedReason", "cost", "costs", "costBreakdown"):
        assert after[name] == before[name] or name == "type", name
    assert [each for each in after["messages"] if each["role"] == "bot"] == [
        each for each in before["messages"] if each["role"] == "bot"
    ]


async def test_what_was_asked_rides_sealed(server: Any, store: ObjectStore) -> None:
    config, _ = await ended_call(server, store)
    assert config.asked.startswith("sealed:")
    assert b"4711" not in config.payload()
