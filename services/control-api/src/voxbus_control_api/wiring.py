"""Puts the control API together: the only file that names concrete parts."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from voxbus_bus.broker import EventBroker
from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts import DEFAULT_ORG
from voxbus_contracts.requests import InboundCall
from voxbus_control_api.access import Addresses
from voxbus_control_api.assistant_store import AssistantStore
from voxbus_control_api.call_bus import CallBus
from voxbus_control_api.call_store import CallStore
from voxbus_control_api.calls.artifact_access import Artifacts
from voxbus_control_api.calls.due_calls import DueCalls
from voxbus_control_api.calls.erasing import Eraser
from voxbus_control_api.calls.finding import DestinationFinder
from voxbus_control_api.calls.log_reading import LogReader
from voxbus_control_api.calls.open_calls import OpenCalls
from voxbus_control_api.calls.places import WaitingCalls
from voxbus_control_api.calls.reception import Reception
from voxbus_control_api.calls.starting import Starter
from voxbus_control_api.chats.chat_bus import ChatBus
from voxbus_control_api.chats.conversations import Conversations
from voxbus_control_api.database import SCHEMA
from voxbus_control_api.event_store import EventStore
from voxbus_control_api.first_start import address_secret, ensure_demo, ensure_key, secret_box
from voxbus_control_api.handlers import add_finder, add_handlers, add_message_handlers
from voxbus_control_api.http.api import Api
from voxbus_control_api.http.app import create_app
from voxbus_control_api.http.call_answers import addressed
from voxbus_control_api.http.server import ApiServer, bound_socket
from voxbus_control_api.key_store import KeyStore
from voxbus_control_api.live.events import LiveEvents
from voxbus_control_api.live.sound import LiveSound
from voxbus_control_api.messages.asking import ServerAsker
from voxbus_control_api.messages.dead_letters import DeadLetters
from voxbus_control_api.messages.outbox import DeliveryStream
from voxbus_control_api.messages.record_messages import RecordTeller
from voxbus_control_api.messages.reporting import Reporter
from voxbus_control_api.messages.telling import ServerTeller
from voxbus_control_api.org_store import Org, OrgStore
from voxbus_control_api.rate_limit import RateLimit
from voxbus_control_api.reaper import Reaper
from voxbus_control_api.resource_store import ResourceStore
from voxbus_control_api.secret_renewal import renew_secrets
from voxbus_control_api.settings import Settings
from voxbus_database import Database, open_database, sqlite_url
from voxbus_objects import UrlSigner, open_store
from voxbus_objects.signing import signing_secret
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.guard import Guard
from voxbus_runtime.outbound import customer_client, tls_context
from voxbus_runtime.requests import Answering
from voxbus_runtime.server_access import ServerAccess
from voxbus_runtime.service import Runtime
from voxbus_runtime.tasks import end
from voxbus_runtime.telemetry import new_trace

_STORE_TIMEOUT_S = 5.0


class ControlApi:
    """Serves requests, keeps records, starts due calls, ends overdue ones; owns no calls."""

    slots = 0

    def __init__(
        self,
        runtime: Runtime[Settings],
        database: Database,
        broker: EventBroker,
        server: ApiServer,
        live: tuple[LiveEvents, LiveSound, Answering],
        loops: Mapping[str, Callable[[], Coroutine[Any, Any, None]]],
    ) -> None:
        self._runtime = runtime
        self._database = database
        self._broker = broker
        self._live = live
        self._loops = loops
        self.server = server
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        await self._broker.start()
        await self._live[-1].start()
        self._tasks = [
            self._runtime.spawn(self.server.run_until_stopped(), "http"),
            *(self._runtime.spawn(loop(), name) for name, loop in self._loops.items()),
        ]
        self._runtime.log.info("api", port=self.server.port)

    async def drain(self) -> int:
        """Answers what was asked, takes no more, writes what it has read."""
        await asyncio.gather(*(each.stop() for each in self._live))
        self.server.stop()
        serving, *loops = self._tasks
        await end(*loops)
        await asyncio.gather(serving, return_exceptions=True)
        await self._broker.stop()
        return 0

    async def close(self) -> None:
        await self._database.close()

    def calls(self) -> list[str]:
        return []


async def wire(runtime: Runtime[Settings]) -> ControlApi:
    settings = runtime.settings
    bound = bound_socket(settings.api_host, settings.api_port, is_shared=settings.share_ports)
    folder = settings.data_dir / "control-api"
    database = await open_database(settings.database_or(sqlite_url(folder / "control.db")), SCHEMA)
    box = secret_box(settings.secret_key, settings.cluster_key, folder / "secret-key")
    await renew_secrets(database, box, unix_ms())
    resources = ResourceStore(database, box)
    keys, assistants, events = KeyStore(database), AssistantStore(resources), EventStore(database)
    calls, open_calls = CallStore(database, events, box, settings.concurrency_limit), OpenCalls(database)
    is_first_start = await keys.count() == 0
    orgs = OrgStore(database)
    await orgs.ensure(Org(DEFAULT_ORG, unix_ms(), unix_ms(), {"name": "Default"}))
    if not await ensure_key(keys, settings.api_key, settings.data_dir / "api-key", unix_ms()):
        runtime.log.warning("the key that is set was revoked: it opens nothing")
    await ensure_demo(assistants, settings.default_assistant, settings.demo_server_url, unix_ms(), make=is_first_start)
    broker = EventBroker(settings.nats_url, runtime.name, runtime.log)
    publisher = StoredPublisher(runtime.bus, "control-api", timeout_s=_STORE_TIMEOUT_S)
    bus = CallBus(runtime.bus, publisher)
    addresses = _addresses(settings, folder, bound.getsockname()[1])
    starter = _starter(runtime, resources, calls, bus, addresses)
    stream = DeliveryStream(runtime.bus, runtime.log)
    record_teller = RecordTeller(resources, bus, stream, settings.cluster_key, unix_ms, runtime.log)
    chats = _chats(runtime, resources, publisher, record_teller)
    add_handlers(broker, events, chats)
    artifacts = await _artifacts(settings, addresses, bus, events)
    live, sound = LiveEvents(runtime.bus, artifacts.objects), LiveSound(runtime.bus)
    teller = _teller(runtime, addresses)
    asker = _asker(runtime)
    add_finder(broker, _finder(runtime, resources, bus, asker, starter, teller))
    add_message_handlers(broker, teller, _reporter(runtime, teller, calls, events, artifacts))
    api = Api(
        keys=keys,
        orgs=orgs,
        rate_limit=RateLimit(settings.api_rate_per_s, settings.api_rate_burst),
        concurrency_limit=settings.concurrency_limit,
        assistants=assistants,
        resources=resources,
        calls=calls,
        chats=chats,
        bus=bus,
        starter=starter,
        artifacts=artifacts,
        dead_letters=DeadLetters(runtime.bus),
        live=live,
        sound=sound,
        addresses=addresses,
        max_body_bytes=settings.api_max_body_bytes,
        max_file_bytes=settings.api_max_file_bytes,
        now_ms=unix_ms,
        new_id=_new_id,
        health=lambda: health_of(runtime, broker),
    )
    server = ApiServer(create_app(api, runtime.log), bound)
    reaper = Reaper(open_calls.waiting, bus, runtime.log, join_timeout_ms=settings.join_timeout_ms, now_ms=unix_ms)
    due_calls = DueCalls(open_calls, WaitingCalls(database, settings.concurrency_limit), starter, bus, runtime.log)
    eraser = Eraser(open_calls, bus, unix_ms, runtime.log, record_teller.call_deleted)
    loops = {"reaper": reaper.run, "due-calls": due_calls.run, "eraser": eraser.run, "late-answers": teller.run}
    inbound = _inbound(runtime, Reception(resources, bus, asker, starter, runtime.log))
    return ControlApi(runtime, database, broker, server, (live, sound, inbound), loops)


def _teller(runtime: Runtime[Settings], addresses: Addresses) -> ServerTeller:
    stream = DeliveryStream(runtime.bus, runtime.log)
    return ServerTeller(
        runtime.bus, stream, lambda call: addresses.monitor(call.ref, call.monitor_plan), unix_ms, runtime.log
    )


def _starter(
    runtime: Runtime[Settings], resources: ResourceStore, calls: CallStore, bus: CallBus, addresses: Addresses
) -> Starter:
    return Starter(
        stored=resources,
        calls=calls,
        bus=bus,
        addresses=addresses,
        cluster_key=runtime.settings.cluster_key,
        join_timeout_ms=runtime.settings.join_timeout_ms,
        now_ms=unix_ms,
        new_id=_new_id,
        new_traceparent=new_trace,
        log=runtime.log,
        private=runtime.settings.private,
    )


def _inbound(runtime: Runtime[Settings], reception: Reception) -> Answering:
    return Answering(runtime.bus.nc, InboundCall, reception.on_call, runtime.log)


def _asker(runtime: Runtime[Settings]) -> ServerAsker:
    client = customer_client(Guard.parse(runtime.settings.guard_allow), tls=tls_context())
    return ServerAsker(client, ServerAccess(client, runtime.settings.cluster_key))


def _finder(
    runtime: Runtime[Settings],
    resources: ResourceStore,
    bus: CallBus,
    asker: ServerAsker,
    starter: Starter,
    teller: ServerTeller,
) -> DestinationFinder:
    return DestinationFinder(
        configs=bus,
        stored=resources,
        asker=asker,
        publisher=StoredPublisher(runtime.bus, "control-api", timeout_s=_STORE_TIMEOUT_S),
        sealed=starter.member,
        artifact=teller.artifact,
        now_ms=unix_ms,
        log=runtime.log,
    )


def _reporter(
    runtime: Runtime[Settings], teller: ServerTeller, calls: CallStore, events: EventStore, artifacts: Artifacts
) -> Reporter:
    return Reporter(
        listener=teller,
        records=calls,
        events_of=events.of_call,
        shown=lambda call: addressed(call, artifacts),
        now_ms=unix_ms,
        limit_ms=runtime.settings.report_within_ms,
        analysis_limit_ms=runtime.settings.analysis_within_ms,
        log=runtime.log,
    )


async def _artifacts(settings: Settings, addresses: Addresses, bus: CallBus, events: EventStore) -> Artifacts:
    key = settings.cluster_key
    secret = signing_secret(key.get_secret_value()) if key else addresses.secret
    signer = UrlSigner(addresses.api_url, secret)
    objects = await asyncio.to_thread(open_store, settings.objects_address, signer)
    return Artifacts(
        objects, signer, LogReader(objects, bus.live_log, events.of_call), settings.artifact_url_s, unix_ms
    )


def _addresses(settings: Settings, folder: Path, port: int) -> Addresses:
    secret = address_secret(settings.cluster_key, folder / "address-secret")
    return Addresses(secret, settings.media_url, settings.api_url or f"http://{settings.api_host}:{port}")


def _chats(
    runtime: Runtime[Settings], resources: ResourceStore, publisher: StoredPublisher, teller: RecordTeller
) -> Conversations:
    settings = runtime.settings
    return Conversations(
        resources=resources,
        bus=ChatBus(runtime.bus, publisher, unix_ms, settings.chat_claim_timeout_ms),
        cluster_key=settings.cluster_key,
        answer_within_ms=settings.chat_timeout_ms,
        now_ms=unix_ms,
        new_id=_new_id,
        new_traceparent=new_trace,
        tell=teller.of_resource,
    )


def _new_id() -> str:
    return str(uuid.uuid4())


def health_of(runtime: Runtime[Settings], broker: EventBroker) -> dict[str, Any]:
    is_well = runtime.bus.connected and broker.healthy
    return {"status": "ok" if is_well else "unavailable", "bus": runtime.bus.connected, "consumers": broker.healthy}
