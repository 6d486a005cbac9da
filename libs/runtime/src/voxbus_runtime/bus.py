"""The connection to NATS: publishing facts, key-value entries, the log of a call."""

import random
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Final, TypedDict

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import Header
from nats.js.errors import APIError, KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue
from pydantic import SecretStr, ValidationError
from structlog.stdlib import BoundLogger

from voxbus_contracts import CallRef, Command, Envelope, Event, read_envelope
from voxbus_contracts.config import CallConfig
from voxbus_contracts.envelope import BadEnvelope
from voxbus_contracts.streams import CONFIGS, EVENTS
from voxbus_contracts.subjects import parse
from voxbus_runtime.errors import ConfigMissing
from voxbus_runtime.live import LiveClient
from voxbus_runtime.outbox import Outbox
from voxbus_runtime.sequencing import LoggedMessage
from voxbus_runtime.stream_reader import last, read

Callback = Callable[[], Awaitable[None]]

_PENDING_BYTES: Final = 32 * 1024 * 1024
_SAY_AGAIN_S: Final = 5.0
_PING_S: Final = 1
_PINGS: Final = 2
"""A server that is cut off or frozen sends no farewell: after 3 s without an answer another one is tried."""
_MARK_S: Final = 60
"""How long the mark of a deleted key stays. One that stayed for ever would be a leak of some six keys per call."""
_WRONG_REVISION: Final = (10071, 10164)
"""Error codes of the server for a compare-and-set that lost."""


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


class Bus:
    """One process's connection; made by `connect`."""

    def __init__(self, nc: LiveClient, log: BoundLogger, worker: str) -> None:
        self.nc = nc
        self.js: JetStreamContext = nc.jetstream(timeout=5)
        self.log = log
        self.worker = worker
        self.outbox = Outbox(nc)
        self.cluster_key: SecretStr | None = None
        """Opens what is sealed; set by the process's start."""
        self._reconnected: list[Callback] = []
        self._disconnected: list[Callback] = []
        self._buckets: dict[str, KeyValue] = {}

    @property
    def connected(self) -> bool:
        return self.nc.is_connected

    def on_reconnect(self, callback: Callback) -> Callable[[], None]:
        """`callback` after each reconnect; returns how to stop that."""
        self._reconnected.append(callback)
        return lambda: self._reconnected.remove(callback)

    def on_disconnect(self, callback: Callback) -> Callable[[], None]:
        self._disconnected.append(callback)
        return lambda: self._disconnected.remove(callback)

    async def reconnected(self) -> None:
        self.log.info("bus is back")
        self.outbox.resend_all()
        await self._tell(self._reconnected)

    async def disconnected(self) -> None:
        if not self.nc.is_closed:
            self.log.warning("bus is gone, trying again until it is back")
        await self._tell(self._disconnected)

    async def _tell(self, callbacks: list[Callback]) -> None:
        """What one of them raises is logged and left: nats-py would not try to reconnect any more."""
        for callback in list(callbacks):
            try:
                await callback()
            except Exception:
                self.log.exception("somebody could not be told of the bus")

    # --- facts -------------------------------------------------------------------------------------------------

    async def publish_event(
        self,
        ref: CallRef,
        message: Event | Command,
        *,
        stage: str,
        event_id: str | None = None,
        traceparent: str = "",
    ) -> str:
        """A fact from a service that owns no part of the call: unnumbered, counted once by its id. Returns the id."""
        envelope = Envelope(
            event_id=event_id or uuid.uuid4().hex,
            schema=message.schema_id(),
            occurred_at_ms=unix_ms(),
            producer=self.worker,
            stage=stage,
            traceparent=traceparent,
        )
        self.outbox.publish(message.subject(ref), message.payload(), envelope.headers())
        return envelope.event_id

    async def call_log(self, ref: CallRef, from_seq: int = 1, upto_seq: int | None = None) -> list[LoggedMessage]:
        """All stored events and commands of a call in stream order, without a hole; neither fenced nor de-duplicated.

        In one reading: each costs the server a look at everything between the call's first message and the newest.
        """
        return await self.log_of(ref.whole_log, from_seq, upto_seq)

    async def log_of(self, subject: str, from_seq: int = 1, upto_seq: int | None = None) -> list[LoggedMessage]:
        """The same of one subject, wildcards allowed."""
        found: list[LoggedMessage] = []
        async for stored in read(self.nc, EVENTS.name, subject, from_seq=from_seq):
            if upto_seq is not None and stored.seq > upto_seq:
                break
            logged = self.logged(stored.subject, stored.data, stored.headers, stored.seq)
            if logged is not None:
                found.append(logged)
        return found

    async def has_event(self, ref: CallRef, entity: str, what: str) -> bool:
        return await last(self.nc, EVENTS.name, ref.event(entity, what)) is not None

    async def has_ended(self, config: CallConfig) -> bool:
        return await last(self.nc, EVENTS.name, config.ended_subject) is not None

    def logged(
        self, subject: str, payload: bytes, headers: dict[str, str] | None, seq: int = 0
    ) -> LoggedMessage | None:
        """A message of the bus with its envelope read; None (and a log line) when it has none."""
        try:
            parsed = parse(subject)
            envelope = read_envelope(headers)
        except (BadEnvelope, ValueError) as wrong:
            self.log.warning("message without a valid envelope is left out", subject=subject, problem=str(wrong))
            return None
        return LoggedMessage(envelope, parsed.kind, f"{parsed.entity}.{parsed.what}", payload, stream_seq=seq)

    # --- key-value ---------------------------------------------------------------------------------------------

    async def bucket(self, name: str) -> KeyValue:
        if name not in self._buckets:
            self._buckets[name] = await self.js.key_value(name)
        return self._buckets[name]

    async def kv_get(self, bucket: str, key: str) -> KeyValue.Entry | None:
        try:
            return await (await self.bucket(bucket)).get(key)
        except KeyNotFoundError:
            return None

    async def kv_create(self, bucket: str, key: str, value: bytes) -> int | None:
        """Revision, or None when the key exists."""
        try:
            return await (await self.bucket(bucket)).create(key, value)
        except KeyWrongLastSequenceError:
            return None

    async def kv_update(self, bucket: str, key: str, value: bytes, last_revision: int) -> int | None:
        """New revision, or None when somebody was quicker."""
        try:
            return await (await self.bucket(bucket)).update(key, value, last=last_revision)
        except KeyWrongLastSequenceError:
            return None

    async def kv_put(self, bucket: str, key: str, value: bytes) -> int:
        return await (await self.bucket(bucket)).put(key, value)

    async def kv_delete(self, bucket: str, key: str, last_revision: int | None = None) -> bool:
        """False when the entry has changed meanwhile. Whoever watches sees it go; the mark that tells so goes, too."""
        headers = {"KV-Operation": "DEL"}
        if last_revision:
            headers[Header.EXPECTED_LAST_SUBJECT_SEQUENCE] = str(last_revision)
        try:
            await self.js.publish(f"$KV.{bucket}.{key}", headers=headers, msg_ttl=_MARK_S)
        except APIError as refused:
            if refused.err_code in _WRONG_REVISION:
                return False
            raise
        return True

    async def read_config(self, ref: CallRef) -> CallConfig | None:
        """The call's configuration, None when there is none. Raises ConfigMissing when it cannot be read."""
        entry = await self.kv_get(CONFIGS.name, ref.config_key)
        if entry is None or entry.value is None:
            return None
        try:
            return CallConfig.model_validate_json(entry.value)
        except ValidationError as wrong:
            raise ConfigMissing(f"configuration of {ref} is invalid: {wrong.error_count()} errors") from None

    async def close(self) -> None:
        await self.nc.close()


def without_login(urls: str) -> str:
    """Addresses as they may be shown: no user, password or token."""
    return re.sub(r"//[^/,]*@", "//", urls)


class ServerOptions(TypedDict):
    """Of nats-py's connections."""

    servers: list[str]
    dont_randomize: bool
    max_reconnect_attempts: int
    reconnect_time_wait: int
    connect_timeout: int
    ping_interval: int
    max_outstanding_pings: int


def server_options(urls: str) -> ServerOptions:
    """Which servers are tried, in which order, and how soon one that hangs is left; for every connection of a service.

    They are shuffled here, once: nats-py would do so at each loss, and may then try the lost server first, for 2 s.
    """
    servers = [url.strip() for url in urls.split(",")]
    random.shuffle(servers)
    return ServerOptions(
        servers=servers,
        dont_randomize=True,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.2,  # pyright: ignore[reportArgumentType] - it is slept with, and 1 s is too long
        connect_timeout=2,
        ping_interval=_PING_S,
        max_outstanding_pings=_PINGS,
    )


async def connect(urls: str, name: str, log: BoundLogger, gather_ms: float = 0.0, listen_every_ms: float = 0.0) -> Bus:
    """Connects, waiting for the server as long as it takes and saying so.

    Live audio is gathered for `gather_ms` before it is sent, and read every `listen_every_ms` (0 = as it comes).
    """
    nc = LiveClient(log, gather_ms, listen_every_ms)
    holder: list[Bus] = []
    said_at_s = 0.0

    async def on_reconnected() -> None:
        for bus in holder:
            await bus.reconnected()

    async def on_disconnected() -> None:
        for bus in holder:
            await bus.disconnected()

    async def on_error(error: Exception) -> None:
        nonlocal said_at_s
        if isinstance(error, nats.errors.SlowConsumerError):
            log.error("slow consumer: messages were lost", subject=error.subject)
        elif not holder and time.monotonic() - said_at_s > _SAY_AGAIN_S:
            said_at_s = time.monotonic()
            log.warning("waiting for NATS", nats_url=without_login(urls), problem=type(error).__name__)

    await nc.connect(
        **server_options(urls),
        name=name,
        pending_size=_PENDING_BYTES,
        reconnected_cb=on_reconnected,
        disconnected_cb=on_disconnected,
        error_cb=on_error,
    )
    bus = Bus(nc, log, name)
    holder.append(bus)
    await bus.outbox.start()
    return bus
