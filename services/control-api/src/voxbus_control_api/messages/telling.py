"""Follows the logs of calls whose server wants messages, and puts what it is to be told on the bus.

A call is followed from wherever its log stands: what it was told already is found on the bus, so a start, a second
replica or an event that comes again tells nothing twice and leaves nothing out.
"""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from structlog.stdlib import BoundLogger

from voxbus_bus import Received
from voxbus_contracts import BadPayload, CallRef, UnknownMessage, decode
from voxbus_contracts.config import CallConfig
from voxbus_contracts.delivery import SERVER, Delivery
from voxbus_contracts.events import HandoffCompleted
from voxbus_contracts.monitor import MonitorAddresses
from voxbus_contracts.told.server_messages import UPLOAD, LoggedFact, ServerMessages, is_followed
from voxbus_control_api import metrics
from voxbus_control_api.messages.outbox import LaneOutbox, Stored
from voxbus_runtime.errors import ConfigMissing
from voxbus_runtime.sequencing import LoggedMessage

_LOOK_EVERY_S: Final = 0.5
_SETTLED_MS: Final = 500
"""An answer counts as late this much after it was due: its start may be on its way."""
_REMEMBERED: Final = 20_000
"""Calls; of one that is forgotten the log is read again."""


class CallLogs(Protocol):
    """Where calls' configurations and logs are kept; every method raises what the bus raises when it is away."""

    async def read_config(self, ref: CallRef) -> CallConfig | None: ...

    async def call_log(self, ref: CallRef, from_seq: int = 1) -> list[LoggedMessage]: ...


@dataclass(slots=True)
class _Followed:
    """One call. `generation` is that of the reader when the log was known to be whole."""

    messages: ServerMessages
    outbox: LaneOutbox
    generation: int = -1
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class ServerTeller:
    """One process's; several do no harm to each other."""

    def __init__(
        self,
        logs: CallLogs,
        stream: Stored,
        monitor: Callable[[CallConfig], MonitorAddresses],
        now_ms: Callable[[], int],
        log: BoundLogger,
    ) -> None:
        self._logs = logs
        self._stream = stream
        self._monitor = monitor
        self._now_ms = now_ms
        self._log = log
        self._followed: OrderedDict[CallRef, _Followed | None] = OrderedDict()
        self._generation = 0

    async def cares(self, ref: CallRef) -> bool:
        """Does the call's server want anything?"""
        return await self._of(ref) is not None

    async def on_facts(self, received: Sequence[Received]) -> None:
        """A batch in stream order. Raises the first call's failure when every call had its turn."""
        by_call: dict[CallRef, list[LoggedFact]] = defaultdict(list)
        for each in received:
            if each.is_after_gap:
                self._generation += 1
            by_call[each.ref].append(_fact_of(each))
        results = await asyncio.gather(
            *(self._on_call(ref, facts) for ref, facts in by_call.items()), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def report(self, ref: CallRef, fields: Mapping[str, Any]) -> None:
        """The call's last message, behind all others. Raises what the bus raises."""
        followed = await self._of(ref)
        if followed is None:
            return
        async with followed.lock:
            if not followed.messages.ended_seq:
                await self._catch_up(ref, followed)
            report = followed.messages.report(fields, self._now_ms())
            followed.outbox.add([report] if report else [])
            await followed.outbox.flush()
        self._followed[ref] = None

    async def wants_upload(self, ref: CallRef) -> bool:
        """Is any of the call's assistants told that its recording is stored? Raises what the bus raises."""
        config = await self._config(ref)
        return config is not None and is_followed(config, UPLOAD)

    async def is_reported(self, ref: CallRef) -> bool:
        """Is the report on the bus, if there is to be one? Raises what the bus raises."""
        messages, _ = await self._read(ref)
        place = messages.report_place if messages else None
        if place is None:
            return True
        _, newest = await self._stream.newest(ref.delivery(SERVER))
        return newest is not None and newest >= place

    async def upload(self, ref: CallRef, fields: Mapping[str, Any], stored_seq: int) -> None:
        """That the recording is stored, behind all others that are told of the log. Raises what the bus raises."""
        messages, made = await self._read(ref)
        upload = messages.upload(fields, self._now_ms(), stored_seq) if messages else None
        if upload is not None:
            outbox = LaneOutbox(ref.delivery(SERVER), self._stream)
            outbox.add([*made, upload])
            await outbox.flush()

    async def _read(self, ref: CallRef) -> tuple[ServerMessages | None, list[Delivery]]:
        """What the log makes, whoever has told it."""
        config = await self._config(ref)
        if config is None:
            return None, []
        messages = ServerMessages(self._with_monitor(config))
        facts = [fact for logged in await self._logs.call_log(ref, 1) if (fact := _logged_fact(logged))]
        return messages, [each for fact in facts for each in messages.on_fact(fact)]

    async def artifact(self, config: CallConfig) -> dict[str, Any]:
        """The conversation of a call so far, read from its log. Raises what the bus raises."""
        messages = ServerMessages(config)
        for logged in await self._logs.call_log(config.ref, 1):
            fact = _logged_fact(logged)
            if fact is not None:
                messages.on_fact(fact)
        return messages.artifact()

    async def run(self) -> None:
        """Looks for answers that are late, for ever."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            for ref, followed in list(self._followed.items()):
                due_ms = followed.messages.hang_due_ms if followed else None
                if followed is not None and due_ms is not None and self._now_ms() >= due_ms + _SETTLED_MS:
                    await self._tell_late(ref, followed)

    async def _tell_late(self, ref: CallRef, followed: _Followed) -> None:
        try:
            async with followed.lock:
                await self._catch_up(ref, followed)
                followed.outbox.add(followed.messages.on_time(self._now_ms()))
                await followed.outbox.flush()
        except Exception as problem:  # noqa: BLE001  # the bus is away: the next event of the call tells it
            self._log.warning("cannot tell that an answer is late", call=ref.call, problem=type(problem).__name__)

    async def _on_call(self, ref: CallRef, facts: Sequence[LoggedFact]) -> None:
        if self._followed.get(ref, ...) is None and any(isinstance(each.message, HandoffCompleted) for each in facts):
            del self._followed[ref]  # Whoever takes over may have been found meanwhile, with a server that wants more.
        followed = await self._of(ref)
        if followed is None:
            return
        async with followed.lock:
            if followed.generation != self._generation:
                generation = self._generation
                await self._catch_up(ref, followed)
                followed.generation = generation
            for fact in facts:
                await self._take(ref, followed, fact)
            await followed.outbox.flush()

    async def _catch_up(self, ref: CallRef, followed: _Followed) -> None:
        """Everything of the log that another reader may have had."""
        for logged in await self._logs.call_log(ref, followed.messages.read_up_to + 1):
            fact = _logged_fact(logged)
            if fact is not None:
                await self._take(ref, followed, fact)

    async def _take(self, ref: CallRef, followed: _Followed, fact: LoggedFact) -> None:
        if isinstance(fact.message, HandoffCompleted) and not followed.messages.knows(fact.message.member):
            config = await self._config(ref)
            if config is not None:
                followed.messages.learn(self._with_monitor(config))
        made = followed.messages.on_fact(fact)
        for each in made:
            metrics.MESSAGES_MADE.labels(each.type.partition("[")[0]).inc()
        followed.outbox.add(made)

    async def _of(self, ref: CallRef) -> _Followed | None:
        """None for a call whose server wants nothing. Raises what the bus raises."""
        if ref not in self._followed:
            self._followed.setdefault(ref, self._begin(await self._config(ref)))
            while len(self._followed) > _REMEMBERED:
                self._followed.popitem(last=False)
        self._followed.move_to_end(ref)
        return self._followed[ref]

    async def _config(self, ref: CallRef) -> CallConfig | None:
        try:
            return await self._logs.read_config(ref)
        except ConfigMissing:
            return None

    def _begin(self, config: CallConfig | None) -> _Followed | None:
        if config is None or not is_followed(config):
            return None
        messages = ServerMessages(self._with_monitor(config))
        return _Followed(messages, LaneOutbox(config.ref.delivery(SERVER), self._stream))

    def _with_monitor(self, config: CallConfig) -> CallConfig:
        return config.model_copy(update={"monitor": self._monitor(config)})


def _fact_of(received: Received) -> LoggedFact:
    envelope = received.envelope
    return LoggedFact(
        stream_seq=received.stream_seq,
        event_id=envelope.event_id,
        stage=envelope.stage,
        epoch=envelope.epoch,
        number=envelope.number,
        at_ms=envelope.occurred_at_ms,
        message=received.message,
    )


def _logged_fact(logged: LoggedMessage) -> LoggedFact | None:
    """None for what nobody can read."""
    envelope = logged.envelope
    try:
        message = decode(logged.kind, logged.name, logged.payload)
    except (UnknownMessage, BadPayload):
        return None
    return LoggedFact(
        stream_seq=logged.stream_seq,
        event_id=envelope.event_id,
        stage=envelope.stage,
        epoch=envelope.epoch,
        number=envelope.number,
        at_ms=envelope.occurred_at_ms,
        message=message,
    )
