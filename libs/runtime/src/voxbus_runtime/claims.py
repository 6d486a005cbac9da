"""Calls are claimed, never assigned: how a stage's workers get, keep, lose and give back their calls.

A claim wakes a worker with room; compare-and-set on OWNERS decides; the key's revision is the epoch. Liveness is one
heartbeat per worker; a suspect's calls are put back on the queue by its peers, whoever they are.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError
from pydantic import ValidationError

from voxbus_contracts import CallRef
from voxbus_contracts.config import CallConfig, Claim, Owner, config_hash
from voxbus_contracts.events import FaultRaised, StageReleased
from voxbus_contracts.streams import OWNERS, claims_consumer
from voxbus_contracts.subjects import parse_owner_key
from voxbus_runtime.bus import Bus
from voxbus_runtime.errors import NotStored, OwnershipLost, RuntimeFault
from voxbus_runtime.metrics import LEFT_CLAIMS
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.owners_view import OwnersView
from voxbus_runtime.ownership import Drop, Held, PutBacks, Strays, Take, Wait, judge_claim
from voxbus_runtime.room import Room, count_orphans
from voxbus_runtime.service import Runtime
from voxbus_runtime.tasks import end

_PULL_S: Final = 1.0
_PUT_BACK_EVERY_S: Final = 0.25
_LOOK_AGAIN_S: Final = 0.3
_PULLERS: Final = 2
_LEAVE_EVERY_S: Final = 0.02
_TAKEN_WITHIN_S: Final = 0.4
_SETTLES_WITHIN_S: Final = 0.1
_GIVEN_BACK_WITHIN_S: Final = 4.0
"""Of the 5 s from SIGTERM to SIGKILL on one machine."""
_LOOK_WHETHER_TAKEN_S: Final = 0.01
"""Between two calls given back: a successor takes one in some 10 ms, and a call that has left serves nobody."""
_FULL_S: Final = 0.05

Serve = Callable[[OwnedCall], Awaitable[None]]


async def put_claims(bus: Bus, config: CallConfig, reason: str = "new") -> None:
    """Asks the workers of every stage of a new call to take it."""
    digest = config_hash(config.payload())
    for stage in config.claimed_by:
        claim = Claim(stage=stage, org=config.org, call=config.call, config_hash=digest, reason=reason)
        await put_claim(bus, claim)


async def put_claim(bus: Bus, claim: Claim, attempt: int = 0) -> None:
    """On the queue, kept by the outbox until it is stored there; the same claim from several peers counts once."""
    message_id = f"{claim.message_id}.{attempt}" if attempt else claim.message_id
    bus.outbox.publish(claim.ref.claim(claim.stage), claim.payload(), {"Nats-Msg-Id": message_id})


async def own(
    runtime: Runtime[Any], config: CallConfig, stage: str, interests: frozenset[str], take: Take
) -> OwnedCall | None:
    """Wins the stage by compare-and-set and folds the log; None when somebody was quicker. Raises NotStored."""
    call = OwnedCall(runtime.bus, config, stage, runtime.worker, interests)
    await call.listen()
    try:
        value = Owner(worker=runtime.worker, address=runtime.grpc_address).payload()
        key = call.ref.owner_key(stage)
        if take.last_revision:
            epoch = await runtime.bus.kv_update(OWNERS.name, key, value, take.last_revision)
        else:
            epoch = await runtime.bus.kv_create(OWNERS.name, key, value)
        if epoch is None:
            await call.close()
            return None
        await call.begin(epoch, runtime.grpc_address)
    except BaseException:
        await call.close()
        raise
    return call


async def take_call(runtime: Runtime[Any], config: CallConfig, stage: str, interests: frozenset[str]) -> OwnedCall:
    """Owns the stage whoever had it: for media-ingress, where the newest transport wins. Raises NotStored."""
    key = config.ref.owner_key(stage)
    while True:
        entry = await runtime.bus.kv_get(OWNERS.name, key)
        call = await own(runtime, config, stage, interests, Take(entry.revision or 0 if entry else 0))
        if call is not None:
            return call


async def disown(bus: Bus, call: OwnedCall, reason: str) -> None:
    """The stage's work on an ended call is over: says so and removes the key, unless it is another's by now."""
    with contextlib.suppress(OwnershipLost):
        await call.publish(StageReleased(stage=call.stage, epoch=call.epoch, worker=call.worker, reason=reason))
    with contextlib.suppress(nats.errors.Error, JetStreamError, TimeoutError):
        await bus.kv_delete(OWNERS.name, call.ref.owner_key(call.stage), last_revision=call.epoch)


class StageWorker:
    """Serves up to `slots` calls of one stage. `serve` runs for as long as this worker owns the call."""

    def __init__(self, runtime: Runtime[Any], stage: str, serve: Serve, interests: frozenset[str]) -> None:
        self.runtime = runtime
        self.stage = stage
        self.slots = runtime.settings.slots
        self._serve = serve
        self._interests = interests
        self._calls: dict[str, OwnedCall] = {}
        self._served: dict[str, asyncio.Task[None]] = {}
        self._owners = OwnersView(runtime.bus, stage)
        self._put_backs = PutBacks()
        self._draining = False
        self._strays = Strays()
        self._taking: set[str] = set()
        self._pullers: list[asyncio.Task[None]] = []

    # --- component ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        await self.runtime.peers.listen(self.stage)
        self._owners.on_change(self._on_owner)
        self.runtime.spawn(self._owners.run(), "owners-view")
        self.runtime.peers.on_thaw(self._after_thaw)
        self.runtime.peers.on_gone(lambda _worker: self._put_back_now())
        self.runtime.spawn(self._put_back_for_ever(), "put-back")
        self._pullers = [self.runtime.spawn(self._pull_for_ever(), f"pull-{n}") for n in range(_PULLERS)]

    async def drain(self) -> int:
        """Takes no more; gives every call back at its next step boundary. Returns how many.

        One after the other, each a moment after the one before was taken: whoever takes a call has its log and its
        latest sound to read, and those given back all at once would wait for each other. Where nobody takes them nobody
        is waited for.
        """
        self._draining = True
        await end(*self._pullers)
        calls = list(self._calls.values())
        until_s, is_taken = time.monotonic() + _GIVEN_BACK_WITHIN_S, True
        for number, call in enumerate(calls):
            call.leave()
            share_s = (until_s - time.monotonic()) / (len(calls) - number)
            is_taken = is_taken and await self._is_taken(call, min(_TAKEN_WITHIN_S, share_s))
            await asyncio.sleep(min(_SETTLES_WITHIN_S, share_s / 2) if is_taken else _LEAVE_EVERY_S)
        if self._served:
            await asyncio.wait(self._served.values(), timeout=10)
        return len(calls)

    async def _is_taken(self, call: OwnedCall, within_s: float) -> bool:
        """Waits for another owner. False = it was let go, and nobody came; one that is still held may be, later."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            if self._owners.has_passed(call.ref.owner_key(self.stage), call.epoch):
                return True
            await asyncio.sleep(_LOOK_WHETHER_TAKEN_S)
        return str(call.ref) in self._calls

    async def close(self) -> None:
        self._owners.stop()

    def calls(self) -> list[str]:
        return list(self._calls)

    def owned(self, ref: CallRef) -> OwnedCall | None:
        """The call if this worker owns its stage."""
        return self._calls.get(str(ref))

    # --- taking ------------------------------------------------------------------------------------------------

    async def _pull_for_ever(self) -> None:
        spec = claims_consumer(self.stage)
        while not self.runtime.bus.nc.is_closed:
            try:
                subscription = await self.runtime.bus.js.pull_subscribe_bind(spec.durable, spec.stream)
                try:
                    await self._pull(subscription)
                finally:
                    # else the server may hand a claim to a request nobody waits for any more
                    with contextlib.suppress(nats.errors.Error):
                        await subscription.unsubscribe()
            except (nats.errors.Error, JetStreamError, RuntimeFault, OSError) as problem:
                self.runtime.log.debug("cannot pull claims now", problem=type(problem).__name__)
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _pull(self, subscription: JetStreamContext.PullSubscription) -> None:
        while True:
            if self._is_full():
                await asyncio.sleep(_FULL_S)
                continue
            try:
                claims = await subscription.fetch(1, timeout=_PULL_S)
            except (TimeoutError, nats.errors.TimeoutError):
                continue
            for msg in claims:
                await self._on_claim(msg)

    def _is_full(self) -> bool:
        return Room(self.slots, len(self._calls) + len(self._taking)).is_full

    def _why_left(self, claim: Claim) -> str | None:
        """Room may be gone by the time a claim comes: the other puller was quicker."""
        if not claim.is_new:
            return "slots" if self._is_full() else None
        if not self._owners.is_known:
            return "orphans"
        orphans = count_orphans(self._owners.entries(), self.runtime.peers.vital)
        return Room(self.slots, len(self._calls) + len(self._taking), orphans, self.runtime.is_overloaded).refuses_new

    async def _on_claim(self, msg: Msg) -> None:
        try:
            claim = Claim.model_validate_json(msg.data)
            ref = claim.ref
        except (ValidationError, ValueError):
            self.runtime.log.exception("a claim is unreadable and dropped", subject=msg.subject)
            await msg.term()
            return
        left = self._why_left(claim)
        if left is not None:
            LEFT_CLAIMS.labels(left).inc()
            await msg.nak(delay=_LOOK_AGAIN_S)
            return
        name = str(ref)
        if name in self._taking:  # by the other puller: the same call was put on the queue twice
            await msg.nak(delay=_LOOK_AGAIN_S)
            return
        self._taking.add(name)
        try:
            await self._judge(msg, ref)
        finally:
            self._taking.discard(name)

    async def _judge(self, msg: Msg, ref: CallRef) -> None:
        entry = await self.runtime.bus.kv_get(OWNERS.name, ref.owner_key(self.stage))
        held = Held(Owner.model_validate_json(entry.value), entry.revision or 0) if entry and entry.value else None
        if held is not None and self._is_left_by_us(ref, held):
            held = replace(held, owner=Owner(worker=""))
        match judge_claim(held, self.runtime.peers.vital):
            case Drop():
                await msg.ack()
            case Wait():
                await msg.nak(delay=_LOOK_AGAIN_S)
            case Take() as take:
                await self._take(ref, take)
                await msg.ack()

    async def _take(self, ref: CallRef, take: Take) -> None:
        bus = self.runtime.bus
        config = await bus.read_config(ref)
        ended = config is None or await bus.has_ended(config)
        if config is None or ended:
            if take.last_revision:
                await bus.kv_delete(OWNERS.name, ref.owner_key(self.stage), last_revision=take.last_revision)
            return
        call = await own(self.runtime, config, self.stage, self._interests, take)
        if call is not None:
            self._calls[str(ref)] = call
            self._served[str(ref)] = self.runtime.spawn(self._serve_one(call), f"serve {ref.call}")

    # --- serving -----------------------------------------------------------------------------------------------

    async def _serve_one(self, call: OwnedCall) -> None:
        call.log.info("claimed", epoch=call.epoch, takeover=len(call.history) > 1)
        serving = asyncio.ensure_future(self._serve(call))
        fenced = asyncio.ensure_future(call.fenced.wait())
        reason = "draining"
        try:
            await asyncio.wait({serving, fenced}, return_when=asyncio.FIRST_COMPLETED)
            if fenced.done():
                reason = "fenced"
            elif (problem := serving.exception()) is not None:
                reason = "fenced" if isinstance(problem, OwnershipLost) else await self._failed(call, problem)
            elif not call.leaving.is_set():
                reason = "ended"
        finally:
            await end(serving, fenced)
            await self._let_go(call, reason)

    async def _failed(self, call: OwnedCall, problem: BaseException) -> str:
        call.log.error("serving failed, giving the call to another worker", exc_info=problem)
        detail = f"{type(problem).__name__} in {self.stage}"
        with contextlib.suppress(OwnershipLost):
            await call.publish(FaultRaised(code="stage-failed", detail=detail, retryable=True))
        await asyncio.sleep(_LOOK_AGAIN_S)
        return "failed"

    async def _let_go(self, call: OwnedCall, reason: str) -> None:
        self._calls.pop(str(call.ref), None)
        self._served.pop(str(call.ref), None)
        try:
            if reason == "ended":
                await disown(self.runtime.bus, call, reason)
            elif reason in ("draining", "failed"):
                await self._give_back(call, reason)
        except (nats.errors.Error, JetStreamError, NotStored, TimeoutError) as problem:
            call.log.warning("could not say that the call is let go; peers will notice", problem=type(problem).__name__)
        finally:
            await call.close()
            call.log.info("let go", epoch=call.epoch, reason=reason)

    async def _give_back(self, call: OwnedCall, reason: str) -> None:
        await call.publish(StageReleased(stage=self.stage, epoch=call.epoch, worker=call.worker, reason=reason))
        bus, ref = self.runtime.bus, call.ref
        revision = await bus.kv_update(OWNERS.name, ref.owner_key(self.stage), Owner(worker="").payload(), call.epoch)
        if revision is not None:
            claim = Claim(stage=self.stage, org=ref.org, call=ref.call, revision=revision, reason=reason)
            await put_claim(bus, claim)

    # --- losing and finding ------------------------------------------------------------------------------------

    def _on_owner(self, key: str, held: Held | None) -> None:
        if held is None:
            self._put_backs.forget(key)
            return
        call = self._calls.get(key.partition(".")[2])
        if call is not None and held.revision > call.epoch:
            call.lose()

    async def _after_thaw(self) -> None:
        """This process stood still: whoever took a call meanwhile has it. The heartbeat goes on meanwhile."""
        self.runtime.spawn(self._look_who_has_them(), "after-thaw")

    async def _look_who_has_them(self) -> None:
        """What made this process stand still may keep the bus from answering, too: asks until it does."""
        for call in list(self._calls.values()):
            while not call.fenced.is_set() and self._calls.get(str(call.ref)) is call:
                try:
                    entry = await self.runtime.bus.kv_get(OWNERS.name, call.ref.owner_key(self.stage))
                except (nats.errors.Error, JetStreamError, TimeoutError):
                    await asyncio.sleep(_LOOK_AGAIN_S)
                    continue
                if entry is None or entry.revision != call.epoch:
                    call.lose()
                break

    async def _put_back_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_PUT_BACK_EVERY_S)
            await self._put_back()

    def _put_back_now(self) -> None:
        self.runtime.spawn(self._put_back(), "put-back-now")

    def _is_left_by_us(self, ref: CallRef, held: Held) -> bool:
        """Whether a key is our own though we do not serve the call: a bus that failed just then took it without our
        hearing so, or did not hear that it was removed. Peers leave it to us while we live."""
        return held.owner.worker == self.runtime.worker and str(ref) not in self._calls

    def _is_stray(self, key: str, held: Held) -> bool:
        _, ref = parse_owner_key(key)
        return self._is_left_by_us(ref, held) and str(ref) not in self._taking

    async def _put_back(self) -> None:
        if not self.runtime.bus.connected:
            return
        now_s = time.monotonic()
        for key, held in self._strays.due(self._owners.entries(), self._is_stray, now_s):
            await self._let_stray_go(key, held)
        for key, held in self._put_backs.due(self._owners.entries(), self.runtime.peers.vital, now_s):
            stage, ref = parse_owner_key(key)
            self.runtime.log.info("owner is gone, call goes back on the queue", call=ref.call, owner=held.owner.worker)
            claim = Claim(stage=stage, org=ref.org, call=ref.call, revision=held.revision, reason="owner-lost")
            await put_claim(self.runtime.bus, claim, attempt=int(now_s // 3) if held.revision else 0)

    async def _let_stray_go(self, key: str, held: Held) -> None:
        """Whoever takes the claim goes on with the call, or removes the key of one that is over."""
        stage, ref = parse_owner_key(key)
        bus = self.runtime.bus
        try:
            revision = await bus.kv_update(OWNERS.name, key, Owner(worker="").payload(), held.revision)
        except (nats.errors.Error, JetStreamError, TimeoutError) as problem:
            bus.log.warning("a call that is not served cannot be put back now", problem=type(problem).__name__)
            return
        if revision is not None:
            bus.log.info("our own key, but not served: call goes back on the queue", call=ref.call)
            await put_claim(bus, Claim(stage=stage, org=ref.org, call=ref.call, revision=revision, reason="not-served"))
