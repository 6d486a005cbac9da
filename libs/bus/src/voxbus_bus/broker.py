"""FastStream's broker on existing durable pull consumers, and batches read beside it on the same connection.

What FastStream leaves open is closed here: it never declares a stream; a message is acknowledged after its handler
returned, put back with a growing delay when the handler failed, thrown out when nobody can read it; and a consumer
that is gone (FastStream would spin on it in silence) stops its subscriber until it is there again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from faststream.message import StreamMessage
from faststream.middlewares import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig
from nats.js.errors import Error as JetStreamError
from nats.js.errors import NotFoundError, ServiceUnavailableError
from structlog.stdlib import BoundLogger

from voxbus_bus import received as envelopes
from voxbus_bus.at_once import PromptReader
from voxbus_bus.batches import BatchReader
from voxbus_bus.failures import Again, where_raised
from voxbus_bus.received import Received, Unreadable
from voxbus_contracts import CallRef
from voxbus_contracts.privacy import MARK_BYTES
from voxbus_contracts.streams import ConsumerSpec
from voxbus_contracts.subjects import parse
from voxbus_runtime.bus import server_options
from voxbus_runtime.tasks import end

Handler = Callable[[Received], Awaitable[None]]
BatchHandler = Callable[[list[Received]], Awaitable[None]]
Cares = Callable[[CallRef], Awaitable[bool]]

_FETCH: Final = 32
_FETCH_TIMEOUT_S: Final = 1.0
"""Longest a pull waits at the server: also how long a subscriber takes to notice that it should stop."""
_LONGEST_DELAY_S: Final = 30.0


def retry_delay_s(delivery: int) -> float:
    """How long a message rests after its n-th failed delivery: 0.5 s doubling to 30 s."""
    return min(_LONGEST_DELAY_S, 0.5 * 2 ** min(delivery - 1, 10))


class Deliverable(Protocol):
    """What a message on its way through a handler can be told."""

    async def ack(self) -> None: ...

    async def nack(self, delay: float) -> None: ...

    async def reject(self) -> None: ...

    async def in_progress(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Plain:
    """A message of a batch, as nats-py made it."""

    raw: Msg

    async def ack(self) -> None:
        await self.raw.ack()

    async def nack(self, delay: float) -> None:
        await self.raw.nak(delay=delay)

    async def reject(self) -> None:
        await self.raw.term()

    async def in_progress(self) -> None:
        await self.raw.in_progress()


_Item = tuple[Received | Unreadable, Any]
"""What was received, and its Deliverable: FastStream makes a model of a handler's types, which takes no protocol."""


class _Sieve:
    """Keeps of a consumer's batches what somebody cares about, and notices what went to another reader."""

    def __init__(self, cares: Cares | None) -> None:
        self._cares = cares
        self._last_seq = 0
        self._is_after_gap = True

    async def sorted_out(self, messages: list[Msg]) -> list[tuple[Msg, bool]]:
        """Each with whether there was a gap before it; the others are acknowledged. What `cares` raises is raised."""
        kept: list[tuple[Msg, bool]] = []
        try:
            for raw in messages:
                seq = raw.metadata.sequence.consumer
                self._is_after_gap = self._is_after_gap or seq != self._last_seq + 1
                self._last_seq = seq
                if await self._is_cared_about(raw):
                    kept.append((raw, self._is_after_gap))
                    self._is_after_gap = False
                else:
                    await raw.ack()
        except BaseException:
            self._is_after_gap = True  # all of them come again, behind others
            raise
        return kept

    async def _is_cared_about(self, raw: Msg) -> bool:
        if self._cares is None:
            return True
        try:
            ref = parse(raw.subject).ref
        except ValueError:
            return True  # nobody can read it, which is said where it is read
        return await self._cares(ref)


def _marked(fact: Received | Unreadable, is_after_gap: bool) -> Received | Unreadable:
    return replace(fact, is_after_gap=True) if is_after_gap and isinstance(fact, Received) else fact


@dataclass(slots=True)
class _Subscription:
    spec: ConsumerSpec
    subscriber: Any
    running: bool = field(default=False)


class EventBroker:
    """One service's durable consumers. `consumes` before `start`."""

    def __init__(
        self,
        nats_url: str,
        name: str,
        log: BoundLogger,
        *,
        watch_every_s: float = 1.0,
        opened: Callable[[CallRef, bytes], Awaitable[bytes]] | None = None,
    ) -> None:
        """`opened` opens what is sealed on private calls, for the service that must act on it; else it is left out."""
        self._log = log
        self._opened = opened
        self._watch_every_s = watch_every_s
        self._subscriptions: list[_Subscription] = []
        self._readers: list[BatchReader | PromptReader] = []
        self._watch: asyncio.Task[None] | None = None
        self.broker = NatsBroker(
            **server_options(nats_url),
            name=f"{name}-consumers",
            apply_types=False,
            ack_policy=AckPolicy.MANUAL,
            graceful_timeout=10.0,
            logger=None,
        )

    @property
    def healthy(self) -> bool:
        """Every consumer is there and read."""
        return bool(self._subscriptions) and all(each.running for each in self._subscriptions)

    def consumes(self, spec: ConsumerSpec, *, workers: int = 16, at_once: bool = False) -> Callable[[Handler], Handler]:
        """Decorates the handler of a durable consumer; up to `workers` messages are handled at a time, in any order.

        `at_once`: a conversation waits for it, so that each message goes to its handler by the shortest way.
        """

        def declare(handler: Handler) -> Handler:
            if at_once:
                self._subscriptions.append(_Subscription(spec, self._prompt_reader(spec, handler, workers)))
                return handler
            subscriber = self.broker.subscriber(
                config=ConsumerConfig(durable_name=spec.durable, filter_subjects=list(spec.filter_subjects)),
                durable=spec.durable,
                stream=JStream(spec.stream, declare=False),
                pull_sub=PullSub(batch_size=min(_FETCH, workers), timeout=_FETCH_TIMEOUT_S),
                max_workers=workers,
                decoder=self._decoded,
            )
            subscriber(self._guarded(spec, handler))
            self._subscriptions.append(_Subscription(spec, subscriber))
            return handler

        return declare

    async def start(self) -> None:
        """Connects and begins to read; a consumer that is not there yet is read as soon as it is."""
        await self.broker.connect()
        for subscription in self._subscriptions:
            await self._check(subscription)
            if not subscription.running:
                self._log.info("waiting for consumer", durable=subscription.spec.durable)
        self._watch = asyncio.create_task(self._watch_consumers(), name="watch-consumers")

    async def stop(self) -> None:
        """Stops reading, lets running handlers finish (10 s at most)."""
        if self._watch:
            await end(self._watch)
        await asyncio.gather(*(reader.stop() for reader in self._readers))
        await self.broker.stop()
        for subscription in self._subscriptions:
            subscription.running = False

    def consumes_batches(
        self, spec: ConsumerSpec, *, gather_s: float = 0.25, cares: Cares | None = None
    ) -> Callable[[BatchHandler], BatchHandler]:
        """Decorates a handler that takes whatever came within `gather_s`, in stream order, and is far cheaper so.

        A batch whose handler fails is handed over again message by message, so that only the one at fault comes again.
        What is said on a call that it does not care about is acknowledged unread.
        """

        def declare(handler: BatchHandler) -> BatchHandler:
            guarded = self._guarded_batch(spec, handler)
            sieve = _Sieve(cares)

            async def handle(messages: list[Msg]) -> None:
                try:
                    taken = await sieve.sorted_out(messages)
                    await guarded([(_marked(await self._read(raw), gap), _Plain(raw)) for raw, gap in taken])
                except Exception as problem:  # noqa: BLE001  # what was not acknowledged comes again after ack_wait
                    self._tell_left("batch", spec, problem)

            reader = BatchReader(spec, self._connection, handle, gather_s)
            self._readers.append(reader)
            self._subscriptions.append(_Subscription(spec, reader))
            return handler

        return declare

    def _connection(self) -> Client:
        return self.broker.config.broker_config.connection_state.connection

    # --- one message -------------------------------------------------------------------------------------------

    def _prompt_reader(self, spec: ConsumerSpec, handler: Handler, workers: int) -> PromptReader:
        guarded = self._guarded(spec, handler)

        async def handle(raw: Msg) -> None:
            try:
                await guarded((await self._read(raw), _Plain(raw)))
            except Exception as problem:  # noqa: BLE001  # what was not acknowledged comes again after ack_wait
                self._tell_left("message", spec, problem)

        reader = PromptReader(spec, self._connection, handle, workers)
        self._readers.append(reader)
        return reader

    def _tell_left(self, what: str, spec: ConsumerSpec, problem: Exception) -> None:
        name, where = type(problem).__name__, where_raised(problem)
        self._log.error(f"{what} left to come again", durable=spec.durable, problem=name, where=where)

    def _guarded_batch(
        self, spec: ConsumerSpec, handler: BatchHandler
    ) -> Callable[[list[_Item]], Coroutine[Any, Any, None]]:
        async def one(received: Received) -> None:
            await handler([received])

        alone = self._guarded(spec, one)

        async def handle(items: list[_Item]) -> None:
            readable = [(fact, message) for fact, message in items if isinstance(fact, Received)]
            for item in items:
                if isinstance(item[0], Unreadable):
                    await alone(item)
            if not readable:
                return
            try:
                await handler([fact for fact, _ in readable])
            except Exception:  # noqa: BLE001  # whose fault it was shows when each is handled alone
                for item in readable:
                    await alone(item)
            else:
                for _, message in readable:
                    await message.ack()

        return handle

    def _guarded(self, spec: ConsumerSpec, handler: Handler) -> Callable[[_Item], Coroutine[Any, Any, None]]:
        async def handle(item: _Item) -> None:
            fact, message = item
            if isinstance(fact, Unreadable):
                self._log.warning("message left out", durable=spec.durable, subject=fact.subject, problem=fact.problem)
                await message.reject()
                return
            keep_alive = asyncio.create_task(_keep_alive(message, spec.ack_wait_s / 3))
            try:
                await handler(fact)
            except Again as wish:
                await message.nack(delay=wish.delay_s)
            except Exception as problem:  # noqa: BLE001  # whatever it is, the message must come again
                await self._put_back(spec, fact, message, problem)
            else:
                await message.ack()
            finally:
                keep_alive.cancel()

        return handle

    async def _put_back(self, spec: ConsumerSpec, fact: Received, message: Deliverable, problem: Exception) -> None:
        delay_s = retry_delay_s(fact.delivery)
        self._log.error(
            "handler failed, message comes again",
            durable=spec.durable,
            message=fact.name,
            call=fact.ref.call,
            delivery=fact.delivery,
            delay_s=delay_s,
            problem=type(problem).__name__,
            code=getattr(problem, "code", ""),
            where=where_raised(problem),
        )
        await message.nack(delay=delay_s)

    # --- reading -----------------------------------------------------------------------------------------------

    async def _decoded(self, message: StreamMessage[Any]) -> tuple[Received | Unreadable, StreamMessage[Any]]:
        return await self._read(message.raw_message), message

    async def _read(self, raw: Any) -> Received | Unreadable:
        metadata, data = raw.metadata, raw.data
        if self._opened is not None and MARK_BYTES in data:
            data = await self._opened(parse(raw.subject).ref, data)
        return envelopes.read(raw.subject, raw.headers, data, metadata.sequence.stream, metadata.num_delivered)

    # --- the consumers themselves ------------------------------------------------------------------------------

    async def _exists(self, spec: ConsumerSpec) -> bool | None:
        """None = the server could not be asked."""
        try:
            await self.broker.config.broker_config.connection_state.stream.consumer_info(spec.stream, spec.durable)
        except (NotFoundError, ServiceUnavailableError):
            return False
        except (NatsError, JetStreamError, TimeoutError, OSError):
            return None
        return True

    async def _watch_consumers(self) -> None:
        while True:
            await asyncio.sleep(self._watch_every_s)
            for subscription in self._subscriptions:
                await self._check(subscription)

    async def _check(self, subscription: _Subscription) -> None:
        """Brings reading in line with the consumer's being there; what fails is tried again at the next look."""
        exists = await self._exists(subscription.spec)
        try:
            if exists is False and subscription.running:
                self._log.error("consumer is gone, reading stops until it is back", durable=subscription.spec.durable)
                subscription.running = False
                await subscription.subscriber.stop()
            elif exists and not subscription.running:
                await subscription.subscriber.start()
                subscription.running = True
                self._log.info("reading", durable=subscription.spec.durable)
        except (NatsError, JetStreamError, TimeoutError, OSError) as problem:
            self._log.warning("cannot read now", durable=subscription.spec.durable, problem=type(problem).__name__)


async def _keep_alive(message: Deliverable, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        await message.in_progress()
