"""Delivers what lies in the stream of deliveries: one lane per call and target, each with a task while it has work."""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from structlog.stdlib import BoundLogger

from voxbus_bus.failures import where_raised
from voxbus_contracts.config import MessageServer
from voxbus_contracts.delivery import AGAIN, BadDelivery, DeadLetter, Delivery, read_delivery
from voxbus_contracts.streams import DELIVERER
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.errors import ConfigMissing
from voxbus_runtime.tasks import end
from voxbus_tool_runner import metrics
from voxbus_tool_runner.deliveries.lane import Lane, Outcome, after_try, next_step
from voxbus_tool_runner.deliveries.lanes import Kept
from voxbus_tool_runner.deliveries.posting import Poster

_HELD_PER_LANE: Final = 256
_TOO_MANY_S: Final = 15.0
_OTHERS_TURN_S: Final = 0.5
"""How long a message rests whose predecessor another worker has."""
_FORGET_EVERY: Final = 32
_REMEMBERED: Final = 10_000
_REPORT: Final = "end-of-call-report"
_FINISH_WITHIN_S: Final = 5.0


@dataclass(order=True, slots=True)
class _Held:
    seq: int
    message: Msg = field(compare=False)
    delivery: Delivery = field(compare=False)


@dataclass(slots=True)
class _Queue:
    """What one lane has to do here; `lane` None = to be read."""

    held: list[_Held] = field(default_factory=list[_Held])
    lane: Lane | None = None


class Deliverer:
    """One process's. `handle` is given what was pulled, and returns at once."""

    def __init__(self, kept: Kept, poster: Poster, log: BoundLogger, *, now_ms: Callable[[], int] = unix_ms) -> None:
        self._kept = kept
        self._poster = poster
        self._log = log
        self._now_ms = now_ms
        self._queues: dict[str, _Queue] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._servers: OrderedDict[tuple[str, str], MessageServer | None] = OrderedDict()

    async def handle(self, messages: list[Msg]) -> None:
        """Puts each message into its lane; acknowledged later, when it was delivered or given up."""
        for message in messages:
            try:
                delivery = read_delivery(message.subject, message.headers, message.data)
            except BadDelivery as foreign:
                self._log.warning("a delivery is left out", subject=message.subject, problem=str(foreign))
                await message.term()
                continue
            await self._put(message, delivery)

    async def keep_alive(self) -> None:
        """Says again and again that what is held is being worked on."""
        while True:
            await asyncio.sleep(DELIVERER.ack_wait_s / 3)
            for queue in list(self._queues.values()):
                for held in list(queue.held):
                    try:
                        await held.message.in_progress()
                    except NatsError:
                        break  # The bus is away: it comes again, and is known to be over if it is.

    async def stop(self) -> None:
        """Lets requests under way finish for a moment; what is left comes again at another worker."""
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=_FINISH_WITHIN_S)
        await end(*tasks)

    async def _put(self, message: Msg, delivery: Delivery) -> None:
        queue = self._queues.setdefault(delivery.subject, _Queue())
        seq = message.metadata.sequence.stream
        if any(each.seq == seq for each in queue.held):
            return  # Held already: its first copy is answered for both.
        if len(queue.held) >= _HELD_PER_LANE:
            await message.nak(delay=_TOO_MANY_S)
            return
        if message.metadata.num_delivered > 1:
            queue.lane = None
        heapq.heappush(queue.held, _Held(seq, message, delivery))
        if delivery.subject not in self._tasks:
            self._tasks[delivery.subject] = asyncio.create_task(
                self._serve(delivery.subject, queue), name=f"deliver-{delivery.ref.call}"
            )

    async def _serve(self, subject: str, queue: _Queue) -> None:
        """Until the lane has nothing to do. A failure of the bus leaves all of it to come again."""
        metrics.DELIVERY_LANES.inc()
        try:
            while queue.held:
                await self._next(queue, queue.held[0])
        except Exception as problem:  # noqa: BLE001  # what is not acknowledged comes again
            self._log.error(
                "deliveries are left to come again", problem=type(problem).__name__, where=where_raised(problem)
            )
            queue.held.clear()
            queue.lane = None
        finally:
            metrics.DELIVERY_LANES.dec()
            del self._tasks[subject]
            if not queue.held:
                self._queues.pop(subject, None)

    async def _next(self, queue: _Queue, held: _Held) -> None:
        delivery = held.delivery
        if queue.lane is None:
            queue.lane = await self._kept.lane(delivery.ref, delivery.target)
        match next_step(queue.lane, held.seq, delivery.previous_seq, self._now_ms()):
            case "settled":
                await self._acknowledge(queue, held)
            case "rest":
                await asyncio.sleep(max(0, queue.lane.due_ms - self._now_ms()) / 1000)
            case "wait":
                await self._wait(queue, held)
            case "send":
                await self._try(queue, held, queue.lane)

    async def _wait(self, queue: _Queue, held: _Held) -> None:
        """The message before is another worker's, or is gone from the stream without having been sent."""
        delivery = held.delivery
        lane = await self._kept.lane(delivery.ref, delivery.target)
        if lane.settled_seq < delivery.previous_seq and await self._kept.is_there(delivery.previous_seq):
            _remove(queue, held)
            queue.lane = None
            await held.message.nak(delay=_OTHERS_TURN_S)
            return
        settled_seq = max(lane.settled_seq, delivery.previous_seq)
        queue.lane = replace(lane, settled_seq=settled_seq)

    async def _try(self, queue: _Queue, held: _Held, lane: Lane) -> None:
        delivery = held.delivery
        server = await self._server(delivery)
        with metrics.DELIVERY_S.time():
            outcome = await self._poster.post(server, delivery) if server else Outcome(code="call-gone", is_final=True)
        plan = server.server.backoff_plan if server else None
        queue.lane, verdict = after_try(lane, held.seq, outcome, plan, self._now_ms())
        metrics.DELIVERIES.labels(outcome.code or "delivered").inc()
        if verdict == "dead":
            await self._kept.bury(self._letter(delivery, outcome, queue.lane.attempts))
            self._log.warning(
                "a server message was given up",
                call=delivery.ref.call,
                message=delivery.type,
                code=outcome.code,
                status=outcome.status,
            )
        await self._kept.save(delivery.ref, delivery.target, queue.lane)
        if verdict != "again":
            await self._acknowledge(queue, held)
            await self._forget(queue.lane, held)

    async def _acknowledge(self, queue: _Queue, held: _Held) -> None:
        _remove(queue, held)
        await held.message.ack()

    async def _forget(self, lane: Lane, held: _Held) -> None:
        if lane.settled % _FORGET_EVERY == 0 or held.delivery.type == _REPORT or held.delivery.target == AGAIN:
            await self._kept.forget_before(held.delivery, held.seq)

    def _letter(self, delivery: Delivery, outcome: Outcome, attempts: int) -> DeadLetter:
        return DeadLetter(delivery, outcome.code, outcome.status, attempts, self._now_ms())

    async def _server(self, delivery: Delivery) -> MessageServer | None:
        """Of the assistant that had the call when the message was made."""
        key = (delivery.ref.call, delivery.member)
        if key not in self._servers:
            try:
                config = await self._kept.config(delivery.ref)
            except ConfigMissing:
                config = None
            is_known = config is not None and config.has_member(delivery.member)
            self._servers[key] = config.spoken_by(delivery.member).message_server if config and is_known else None
            while len(self._servers) > _REMEMBERED:
                self._servers.popitem(last=False)
        return self._servers[key]


def _remove(queue: _Queue, held: _Held) -> None:
    queue.held.remove(held)
    heapq.heapify(queue.held)
