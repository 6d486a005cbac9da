"""Events are kept until stored, and tried again: soon when the stream says it has no leader, later when nobody says."""

import asyncio
from typing import Any, cast

import pytest

from voxbus_runtime.outbox import RETRY_AFTER_S, Outbox


class Bus:
    """Takes note of what is published, and by when it was asked."""

    is_connected = True

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def new_inbox(self) -> str:
        return "_INBOX.x"

    def publish_event(self, subject: str, reply: str, _headers: dict[str, str], _payload: bytes) -> None:
        self.sent.append((subject, reply))


@pytest.fixture
def now_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr("voxbus_runtime.outbox.time.monotonic", lambda: clock[0])
    return clock


def tries(outbox: Outbox, bus: Bus, now_s: list[float], until_s: float, *, answers: bytes | None) -> list[float]:
    """When an event is sent again, s after the first time; each time the stream answers `answers`."""
    began_s, times = now_s[0], []
    while now_s[0] - began_s < until_s:
        now_s[0] = round(now_s[0] + 0.25, 2)
        seen = len(bus.sent)
        outbox._retry(now_s[0] - RETRY_AFTER_S)
        for _, reply in bus.sent[seen:]:
            times.append(round(now_s[0] - began_s, 2))
            if answers is not None:
                outbox._on_ack(reply, None, answers)
    return times


def test_an_event_nobody_answers_for_is_sent_again_every_two_seconds(now_s: list[float]) -> None:
    bus = Bus()
    outbox = Outbox(cast("Any", bus))
    outbox.publish("event.x", b"{}", {})
    assert tries(outbox, bus, now_s, 6.0, answers=None) == [2.0, 4.0, 6.0]


def test_an_event_a_stream_without_a_leader_refuses_is_sent_again_soon_and_then_less_often(now_s: list[float]) -> None:
    bus = Bus()
    outbox = Outbox(cast("Any", bus))
    outbox.publish("event.x", b"{}", {})
    outbox._on_ack(bus.sent[0][1], None, b"")
    assert tries(outbox, bus, now_s, 8.0, answers=b"") == [0.25, 0.75, 1.75, 3.75, 5.75, 7.75]


async def test_an_acknowledgement_gives_the_sequence_and_ends_the_retries() -> None:
    bus = Bus()
    outbox = Outbox(cast("Any", bus))
    waiting = asyncio.create_task(outbox.stored("event.x", b"{}", {}))
    await asyncio.sleep(0)
    outbox._on_ack(bus.sent[0][1], None, b'{"stream":"EVENTS","seq":7}')
    assert await waiting == 7
    assert outbox.waiting == 0


IN_PROCESS = (
    b'{"error":{"code":409,"err_code":10158,"description":"duplicate message id is in process"},'
    b'"stream":"EVENTS","seq":0}'
)


@pytest.mark.parametrize("answer", [IN_PROCESS, b'{"stream":"EVENTS","seq":0}', b"[]", b"7", b'{"seq":"x"}'])
async def test_whatever_is_no_acknowledgement_keeps_the_event_until_there_is_one(answer: bytes) -> None:
    """A leader cut off from its followers refuses a retry with a sequence number in the refusal."""
    bus = Bus()
    outbox = Outbox(cast("Any", bus))
    waiting = asyncio.create_task(outbox.stored("event.x", b"{}", {}))
    await asyncio.sleep(0)
    outbox._on_ack(bus.sent[0][1], None, answer)
    await asyncio.sleep(0)
    assert outbox.waiting == 1
    assert not waiting.done()
    outbox._on_ack(bus.sent[0][1], None, b'{"stream":"EVENTS","seq":7,"duplicate":true}')
    assert await waiting == 7
