"""A chat on a real bus: whoever waits gets an end, whatever the orchestrator does."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from voxbus_bus.publishing import StoredPublisher
from voxbus_contracts.config import CHAT, CallConfig, Claim
from voxbus_contracts.events import ChatEnded, ChatLine, ChatRequested, ChatWorded
from voxbus_contracts.streams import CLAIMS
from voxbus_control_api.chats.chat_bus import ChatBus
from voxbus_control_api.chats.following import NO_ANSWER, NO_WORKER
from voxbus_runtime.bus import Bus, unix_ms
from voxbus_testing.nats import bus_at

pytestmark = pytest.mark.integration

REQUESTED_LINES = (ChatLine(role="user", content="Hi"),)


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with bus_at(nats_url) as connected:
        yield connected


def config() -> CallConfig:
    call = str(uuid.uuid4())
    return CallConfig(org="acme", call=call, created_at_ms=unix_ms(), call_type=CHAT, stages=("llm-orchestrator",))


def chat_bus(bus: Bus, claim_timeout_ms: int = 60_000) -> ChatBus:
    return ChatBus(bus, StoredPublisher(bus, "control-api"), unix_ms, claim_timeout_ms)


def requested(within_ms: int = 60_000) -> ChatRequested:
    return ChatRequested(lines=REQUESTED_LINES, answer_by_ms=unix_ms() + within_ms)


async def end_of(chat: object) -> ChatEnded:
    async with asyncio.timeout(10):
        while not isinstance(heard := await chat.next(), ChatEnded):  # type: ignore[attr-defined]
            pass
    await chat.close()  # type: ignore[attr-defined]
    return heard


async def test_a_chat_is_on_the_log_before_its_claim_and_its_pieces_are_heard(bus: Bus) -> None:
    made = config()
    chat = await chat_bus(bus).ask(made, requested())
    (asked,) = [message for message in await bus.call_log(made.ref) if message.name == "chat.requested"]
    assert asked.envelope.event_id == f"requested.{made.call}"
    await bus.outbox.flush(5)
    claim = await bus.js.get_last_msg(CLAIMS.name, made.ref.claim("llm-orchestrator"))
    assert Claim.model_validate_json(claim.data or b"").ref == made.ref
    await bus.publish_event(made.ref, ChatWorded(reply=1, piece=1, text="Hello."), stage="llm-orchestrator")
    assert await asyncio.wait_for(chat.next(), 5) == "Hello."
    ended = ChatEnded(lines=(ChatLine(role="assistant", content="Hello."),))
    await bus.publish_event(made.ref, ended, stage="llm-orchestrator")
    assert await end_of(chat) == ended


async def test_an_end_nobody_heard_is_found_in_the_stream(bus: Bus) -> None:
    made = config()
    chat = await chat_bus(bus).ask(made, requested())
    await chat.close()
    ended = ChatEnded(lines=(ChatLine(role="assistant", content="Hello."),))
    await bus.publish_event(made.ref, ended, stage="llm-orchestrator")
    await bus.outbox.flush(5)
    assert await asyncio.wait_for(chat.next(), 5) == "Hello.", "the pieces that were missed come with it"
    assert await end_of(chat) == ended


async def test_a_chat_nobody_takes_is_ended_and_will_not_be_served_any_more(bus: Bus) -> None:
    made = config()
    chat = await chat_bus(bus, claim_timeout_ms=500).ask(made, requested())
    assert (await end_of(chat)).error == NO_WORKER
    assert await bus.has_ended(made)


async def test_a_chat_whose_worker_is_silent_is_ended_after_its_time(bus: Bus) -> None:
    made = config()
    chat = await chat_bus(bus).ask(made, requested(within_ms=0))
    assert (await end_of(chat)).error == NO_ANSWER
