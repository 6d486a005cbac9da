"""An ended call's whole log → its archive; written again only when more was said."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from structlog.stdlib import BoundLogger

from voxbus_archive import ArchivedMessage, CallArchive, serialize_archive
from voxbus_bus import Again, FactPublisher
from voxbus_contracts import BadEnvelope, CallRef, UnknownMessage, decode, read_envelope
from voxbus_contracts.catalogue import message_type
from voxbus_contracts.config import CallConfig
from voxbus_contracts.envelope import EVENT_ID
from voxbus_contracts.events import ArchiveStored
from voxbus_contracts.privacy import redacted
from voxbus_contracts.streams import CONFIGS, EVENTS
from voxbus_objects import ObjectStore, keys
from voxbus_recorder import metrics
from voxbus_runtime.bus import Bus, unix_ms
from voxbus_runtime.stream_reader import StoredMessage, last, read

_SECOND_LOOK_S: Final = 30.0
"""Costs, recordings and tools may come late: what they say is added."""
_NEVER_KEPT: Final = frozenset({"personal_key", "variables"})
"""Of a private call's configuration."""
_NOT_OF_THE_LOG: Final = "archive.stored"


@dataclass(frozen=True, slots=True)
class Archiver:
    """What archiving needs."""

    bus: Bus
    store: ObjectStore
    publisher: FactPublisher
    settle_ms: int
    log: BoundLogger

    async def archive(self, ref: CallRef, ended_at_ms: int = 0) -> None:
        """Raises Again until a look finds nothing new; ObjectFault, NotStored when it must be tried again."""
        since_ms = unix_ms() - ended_at_ms
        if since_ms < self.settle_ms:
            raise Again((self.settle_ms - since_ms) / 1000 + 0.05)
        if await self.bus.has_event(ref, "call", "deleted"):
            return
        messages = await self._log(ref)
        quiet_ms = unix_ms() - messages[-1].stored_at_ms if messages else self.settle_ms
        if quiet_ms < self.settle_ms:
            raise Again((self.settle_ms - quiet_ms) / 1000 + 0.05)
        past = await self._past(ref)
        if past is not None and messages and past.last_stream_seq >= messages[-1].stream_seq:
            await self._forget_key(ref)
            return
        await self._write(ref, messages)
        raise Again(_SECOND_LOOK_S)

    async def _write(self, ref: CallRef, messages: Sequence[ArchivedMessage]) -> None:
        config = await self.bus.read_config(ref)
        if config is not None and config.is_private:
            messages = [_without_personal(message) for message in messages]
        content = serialize_archive(CallArchive(ref, tuple(messages), _kept(config)))
        key = keys.archive(ref)
        await self.store.put(key, content)
        if await self.bus.has_event(ref, "call", "deleted"):
            await self.store.delete_prefix(keys.call_prefix(ref))
            return
        last_seq = messages[-1].stream_seq if messages else 0
        stored = ArchiveStored(
            key=key,
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            messages=len(messages),
            last_stream_seq=last_seq,
        )
        await self.publisher.publish_stored(ref, stored, event_id=f"archive.{ref.call}.{last_seq}")
        metrics.ARCHIVES.inc()
        self.log.info("log archived", call=ref.call, messages=len(messages), size_bytes=len(content))

    async def _log(self, ref: CallRef) -> list[ArchivedMessage]:
        found: list[ArchivedMessage] = []
        async for stored in read(self.bus.nc, EVENTS.name, ref.whole_log):
            message = archived(stored)
            if message is None:
                self.log.warning("message without a valid envelope is left out", subject=stored.subject)
            elif message.name != _NOT_OF_THE_LOG:
                found.append(message)
        return found

    async def _forget_key(self, ref: CallRef) -> None:
        """The private call's key goes: what the streams still hold of it says nothing from here on."""
        config = await self.bus.read_config(ref)
        if config is not None and config.personal_key:
            kept = CallConfig.model_validate(config.model_dump(exclude=set(_NEVER_KEPT), exclude_unset=True))
            await self.bus.kv_put(CONFIGS.name, ref.config_key, kept.payload())

    async def _past(self, ref: CallRef) -> ArchiveStored | None:
        stored = await last(self.bus.nc, EVENTS.name, ref.event("archive", "stored"))
        message = decode("event", _NOT_OF_THE_LOG, stored.data) if stored is not None else None
        return message if isinstance(message, ArchiveStored) else None


def archived(stored: StoredMessage) -> ArchivedMessage | None:
    """As it is kept: without the server's own headers. None = nobody could read it."""
    headers = {name: value for name, value in stored.headers.items() if name == EVENT_ID or not _is_servers(name)}
    try:
        read_envelope(headers)
        stored.data.decode()
    except (BadEnvelope, UnicodeDecodeError):
        return None
    return ArchivedMessage(stored.subject, headers, stored.data, stored.seq, int(stored.stored_at_ms))


def _is_servers(header: str) -> bool:
    return header.lower().startswith("nats-")


def _without_personal(message: ArchivedMessage) -> ArchivedMessage:
    """Of a private call nothing personal is kept, sealed or not; a message nobody knows keeps nothing at all."""
    try:
        payload = redacted(message_type(message.kind, message.name), message.payload)
    except (UnknownMessage, ValueError):
        payload = b"{}"
    return replace(message, payload=payload)


def _kept(config: CallConfig | None) -> Mapping[str, Any] | None:
    if config is None:
        return None
    fields = json.loads(config.payload())
    return {name: value for name, value in fields.items() if not config.is_private or name not in _NEVER_KEPT}
