"""The API on a real database, with a bus that only listens; see `server`."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import structlog
from cryptography.fernet import Fernet
from pydantic import SecretStr

sys.path.insert(0, str(Path(__file__).parent))

from answering import Answering

from voxbus_contracts import DEFAULT_ORG, CallRef, Command
from voxbus_contracts.commands import AnalyseCall, EndCall
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import AnalysisMade
from voxbus_control_api.access import Addresses
from voxbus_control_api.assistant_store import AssistantStore
from voxbus_control_api.call_store import CallStore
from voxbus_control_api.calls.artifact_access import Artifacts
from voxbus_control_api.calls.due_calls import DueCalls
from voxbus_control_api.calls.erasing import Eraser
from voxbus_control_api.calls.log_reading import LogReader
from voxbus_control_api.calls.open_calls import OpenCalls
from voxbus_control_api.calls.places import WaitingCalls
from voxbus_control_api.calls.starting import Starter
from voxbus_control_api.chats.conversations import Conversations
from voxbus_control_api.database import SCHEMA, Database
from voxbus_control_api.errors import Unavailable
from voxbus_control_api.event_store import EventRow, EventStore
from voxbus_control_api.http.api import Api
from voxbus_control_api.http.app import create_app
from voxbus_control_api.key_store import Key, KeyStore
from voxbus_control_api.org_store import Org, OrgStore
from voxbus_control_api.rate_limit import RateLimit
from voxbus_control_api.resource_store import Resource, ResourceStore
from voxbus_control_api.secret_box import SecretBox
from voxbus_database import open_database
from voxbus_objects import ObjectStore, UrlSigner, open_store
from voxbus_runtime.sequencing import LoggedMessage

ORG, OTHER_ORG = "acme", "globex"
LIMIT = 100
BOX = SecretBox([Fernet.generate_key().decode()])
KEY, OTHER_KEY, OPERATOR_KEY = "vb_mine", "vb_theirs", "vb_operators"
WEBSOCKET = {"provider": "vapi.websocket"}


class Listening:
    """A bus in memory."""

    def __init__(self) -> None:
        self.configs: list[CallConfig] = []
        self.announced: list[CallConfig] = []
        self.commands: list[tuple[CallRef, Command]] = []
        self.ended: list[tuple[str, str]] = []
        self.over: set[CallRef] = set()
        self.deleted: list[CallRef] = []
        self.log: list[LoggedMessage] = []
        self.claimed = False
        self.away = False
        self.is_mute = False
        self.made: AnalysisMade | None = None

    async def store_config(self, config: CallConfig) -> None:
        if self.away:
            raise Unavailable("the bus does not answer; try again")
        self.configs.append(config)

    async def new_config(self, config: CallConfig) -> CallConfig:
        before = await self.stored_config(config.ref)
        if before is None:
            await self.store_config(config)
        return before or config

    async def stored_config(self, ref: CallRef) -> CallConfig | None:
        return next((config for config in reversed(self.configs) if config.ref == ref), None)

    async def live_log(self, ref: CallRef) -> list[LoggedMessage]:
        if self.away:
            raise Unavailable("the bus does not answer; try again")
        return self.log

    async def has_ended(self, ref: CallRef) -> bool:
        return ref in self.over

    async def tell_deleted(self, ref: CallRef) -> None:
        self.deleted.append(ref)

    async def announce(self, config: CallConfig) -> None:
        if self.is_mute:
            raise Unavailable("the bus does not answer; try again")
        self.announced.append(config)

    async def command(self, ref: CallRef, command: Command) -> None:
        self.commands.append((ref, command))

    async def analysed(self, ref: CallRef, command: AnalyseCall) -> AnalysisMade | None:
        self.commands.append((ref, command))
        return self.made

    async def asked_to_end(self, ref: CallRef) -> EndCall | None:
        return next((c for r, c in self.commands if r == ref and isinstance(c, EndCall)), None)

    async def end_unclaimed(self, ref: CallRef, reason: str, message: str | None = None) -> bool:
        if not self.claimed:
            self.ended.append((ref.call, reason))
        return not self.claimed


@dataclass
class Server:
    """What a test may touch."""

    client: httpx.AsyncClient
    bus: Listening
    events: EventStore
    resources: ResourceStore
    due: DueCalls
    objects: ObjectStore
    eraser: Eraser
    clock: dict[str, int] = field(default_factory=lambda: {"ms": 1_700_000_000_000})
    org: str = ORG
    key: str = KEY
    starter: Starter | None = None
    app: Any = None
    answering: Answering = field(default_factory=Answering)
    rate_limit: RateLimit = field(default_factory=lambda: RateLimit(0, 1))
    operator: dict[str, str] = field(default_factory=lambda: {"authorization": f"Bearer {OPERATOR_KEY}"})
    theirs: dict[str, str] = field(default_factory=lambda: {"authorization": f"Bearer {OTHER_KEY}"})

    async def call(self, **more: Any) -> dict[str, Any]:
        response = await self.client.post("/call", json={"assistant": {}, "transport": WEBSOCKET, **more})
        assert response.status_code == 201, response.text
        return response.json()

    async def store(self, kind: str, resource_id: str, **body: Any) -> None:
        """A resource as the routes of its kind would store it."""
        await self.resources.create(Resource(self.org, kind, resource_id, 1, 1, body))

    async def happened(self, call_id: str, *messages: Any) -> None:
        for seq, message in enumerate(messages, start=1):
            row = EventRow(
                event_id=f"{call_id}.{seq}",
                call=call_id,
                stream_seq=seq,
                name=message.name(),
                stage="llm-orchestrator",
                epoch=1,
                number=seq,
                occurred_at_ms=self.clock["ms"] + seq,
                payload=message.payload().decode(),
            )
            await self.events.add([row])


@pytest.fixture(scope="session")
def prepare() -> Callable[[str], None]:
    """Migrates a database that tests get copies of."""

    async def migrated(url: str) -> None:
        await (await open_database(url, SCHEMA)).close()

    return lambda url: asyncio.run(migrated(url))


@pytest.fixture
async def database(prepared_url: str) -> AsyncIterator[Database]:
    """Without rows; SQLite in one run of the test, PostgreSQL in another."""
    opened = await open_database(prepared_url, SCHEMA)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def app() -> Any:
    """Built once: that takes longer than most tests. `state.api` is what it answers with."""
    return create_app(cast(Any, None), structlog.get_logger())


@pytest.fixture
async def server(database: Database, app: Any, tmp_path: Path) -> AsyncIterator[Server]:
    keys, events = KeyStore(database), EventStore(database)
    orgs = OrgStore(database)
    await add_tenants(orgs, keys)
    bus, rate_limit = Listening(), RateLimit(0, 1)
    clock = {"ms": 1_700_000_000_000}
    numbers = iter(range(0x1000, 0x2000))
    addresses = Addresses(b"secret", "ws://media:8081", "http://api:8080")
    resources, calls = ResourceStore(database, BOX), CallStore(database, events, BOX, LIMIT)

    def new_id() -> str:
        return f"00000000-0000-4000-8000-{next(numbers):012x}"

    signer = UrlSigner(addresses.api_url, b"secret of sixteen bytes")
    objects = open_store(str(tmp_path / "objects"), signer)
    starter = Starter(
        stored=resources,
        calls=calls,
        bus=bus,
        addresses=addresses,
        cluster_key=SecretStr(Fernet.generate_key().decode()),
        join_timeout_ms=20_000,
        now_ms=lambda: clock["ms"],
        new_id=new_id,
        new_traceparent=lambda: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        log=structlog.get_logger(),
    )
    answering = Answering()
    api = Api(
        keys=keys,
        orgs=orgs,
        rate_limit=rate_limit,
        concurrency_limit=LIMIT,
        assistants=AssistantStore(resources),
        resources=resources,
        calls=calls,
        chats=chats_of(starter, resources, answering),
        bus=bus,
        starter=starter,
        artifacts=Artifacts(objects, signer, LogReader(objects, bus.live_log, events.of_call), 3_600, starter.now_ms),
        dead_letters=cast(Any, None),
        live=cast(Any, None),
        sound=cast(Any, None),
        addresses=addresses,
        max_body_bytes=100_000,
        max_file_bytes=100_000,
        now_ms=lambda: clock["ms"],
        new_id=new_id,
        health=lambda: {"status": "ok"},
    )
    app.state.api = api
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api:8080", headers={"authorization": f"Bearer {KEY}"}
    ) as client:
        due = DueCalls(OpenCalls(database), WaitingCalls(database, LIMIT), starter, bus, structlog.get_logger())
        eraser = Eraser(OpenCalls(database), bus, starter.now_ms, structlog.get_logger())
        made = Server(client, bus, events, resources, due, objects, eraser, clock, app=app, rate_limit=rate_limit)
        made.answering, made.starter = answering, starter
        yield made


async def add_tenants(orgs: OrgStore, keys: KeyStore) -> None:
    for number, (secret, org) in enumerate(((KEY, ORG), (OTHER_KEY, OTHER_ORG), (OPERATOR_KEY, DEFAULT_ORG))):
        await orgs.ensure(Org(org, number, number, {"name": org}))
        await keys.add(secret, Key(f"key-{number}", org, "private", number, number))


def chats_of(starter: Starter, resources: ResourceStore, answering: Answering) -> Conversations:
    return Conversations(
        resources=resources,
        bus=answering,
        cluster_key=starter.cluster_key,
        answer_within_ms=60_000,
        now_ms=starter.now_ms,
        new_id=starter.new_id,
        new_traceparent=starter.new_traceparent,
    )
