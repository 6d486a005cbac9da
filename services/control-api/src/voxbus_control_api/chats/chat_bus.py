"""A chat on the bus: asked for, followed while somebody waits, ended when nobody else can."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import nats.errors

from voxbus_bus import FactPublisher
from voxbus_contracts import BadEnvelope, BadPayload, UnknownMessage, decode, read_envelope
from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import ChatEnded, ChatRequested
from voxbus_contracts.streams import CONFIGS, EVENTS
from voxbus_control_api.bus_away import answering
from voxbus_control_api.chats.following import NO_ANSWER, NO_WORKER, Following
from voxbus_runtime.bus import Bus
from voxbus_runtime.claims import put_claims
from voxbus_runtime.live import LiveSubscription
from voxbus_runtime.stream_reader import last

GRACE_MS: Final = 2_000
"""The orchestrator ends a chat that takes too long; this long after that time it is not there to do so."""

_LOOK_S: Final = 1.0
"""So long after the last word the stream is asked whether the end was missed."""


class AskedChat:
    """One chat that somebody waits for; `close` when nobody does any more."""

    def __init__(
        self,
        bus: Bus,
        publisher: FactPublisher,
        config: CallConfig,
        requested: ChatRequested,
        now_ms: Callable[[], int],
        claim_timeout_ms: int,
    ) -> None:
        self._bus = bus
        self._publisher = publisher
        self._config = config
        self._requested = requested
        self._now_ms = now_ms
        self._claim_by_ms = config.created_at_ms + claim_timeout_ms
        self._following = Following()
        self._heard: asyncio.Queue[str | ChatEnded] = asyncio.Queue()
        self._subscription: LiveSubscription | None = None
        self._ended: ChatEnded | None = None

    async def ask(self) -> None:
        """Listens first, then asks. Raises Unavailable."""
        config, ref = self._config, self._config.ref
        async with answering():
            self._subscription = await self._bus.nc.subscribe_live(ref.all_events, self._on_message)
            await self._bus.kv_put(CONFIGS.name, ref.config_key, config.payload())
            await self._publisher.publish_stored(
                ref, self._requested, event_id=f"requested.{ref.call}", traceparent=config.traceparent
            )
            await put_claims(self._bus, config)

    async def next(self) -> str | ChatEnded:
        """More text, and at last the end; never waits longer than the chat may take. Raises Unavailable."""
        while self._ended is None:
            try:
                async with asyncio.timeout(_LOOK_S):
                    heard = await self._heard.get()
            except TimeoutError:
                heard = await self._missed_end() or await self._overdue_end()
            if isinstance(heard, str):
                return heard
            if heard is not None:
                self._ended = heard
                if rest := self._following.rest(heard):
                    return rest
        return self._ended

    async def close(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    def _on_message(self, subject: str, headers: dict[str, str] | None, payload: bytes) -> None:
        kind, _, _, _, _, entity, what = subject.split(".")
        try:
            message, envelope = decode(kind, f"{entity}.{what}", payload), read_envelope(headers)
        except (BadEnvelope, BadPayload, UnknownMessage):
            return
        if text := self._following.take(envelope, message):
            self._heard.put_nowait(text)
        if isinstance(message, ChatEnded):
            self._heard.put_nowait(message)

    async def _missed_end(self) -> ChatEnded | None:
        async with answering():
            stored = await last(self._bus.nc, EVENTS.name, self._config.ended_subject)
        return ChatEnded.model_validate_json(stored.data) if stored is not None else None

    async def _overdue_end(self) -> ChatEnded | None:
        """Nobody took it, or whoever took it is silent long after its time: it ends here."""
        now_ms = self._now_ms()
        if not self._following.is_claimed and now_ms > self._claim_by_ms:
            ended = ChatEnded(error=NO_WORKER, detail="no llm-orchestrator took it")
        elif now_ms > self._requested.answer_by_ms + GRACE_MS:
            ended = ChatEnded(error=NO_ANSWER, detail="llm-orchestrator gave no answer in time")
        else:
            return None
        ref = self._config.ref
        async with answering():
            await self._publisher.publish_stored(ref, ended, event_id=f"unanswered.{ref.call}")
        return ended


class ChatBus:
    """Makes them for one process."""

    def __init__(self, bus: Bus, publisher: FactPublisher, now_ms: Callable[[], int], claim_timeout_ms: int) -> None:
        self._bus = bus
        self._publisher = publisher
        self._now_ms = now_ms
        self._claim_timeout_ms = claim_timeout_ms

    async def ask(self, config: CallConfig, requested: ChatRequested) -> AskedChat:
        """Raises Unavailable."""
        chat = AskedChat(self._bus, self._publisher, config, requested, self._now_ms, self._claim_timeout_ms)
        try:
            await chat.ask()
        except BaseException:
            await chat.close()
            raise
        return chat
