"""What is remembered of calls: read once, made once, and never at the cost of an assistant who joined later."""

from typing import Any

import pytest

from voxbus_contracts import CallRef
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig, Member
from voxbus_contracts.destination import FIRST
from voxbus_runtime.personal import OPEN, Ciphers
from voxbus_tool_runner.errors import ToolUnknown
from voxbus_tool_runner.known_calls import KnownCalls, LearntConfigs

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")


class Bucket:
    def __init__(self) -> None:
        self.reads = 0
        self.members: dict[str, Assistant] = {}
        self.is_gone = False
        self.is_private = False

    async def read_config(self, ref: CallRef) -> CallConfig | None:
        self.reads += 1
        members = tuple(Member(key=key, assistant=each) for key, each in self.members.items())
        config = CallConfig(org=ref.org, call=ref.call, created_at_ms=1, members=members, private=self.is_private)
        return None if self.is_gone else config


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def test_a_calls_configuration_is_read_once_and_what_servers_are_told_of_it_made_once() -> None:
    bucket = Bucket()
    calls = KnownCalls(bucket)
    told: list[dict[str, Any]] = [(await calls.get(REF, FIRST)).about(None) for _ in range(3)]
    assert bucket.reads == 1
    assert told[0] is told[2]
    assert told[0]["call"]["id"] == REF.call


async def test_an_assistant_who_joined_the_call_later_is_found() -> None:
    bucket = Bucket()
    calls = KnownCalls(bucket)
    await calls.get(REF, FIRST)
    with pytest.raises(ToolUnknown):
        await calls.get(REF, "billing")
    bucket.members["billing"] = Assistant(name="billing desk")
    assert (await calls.get(REF, "billing")).config.assistant.name == "billing desk"
    assert (await calls.get(REF, FIRST)).config.assistant.name is None


async def test_nothing_is_remembered_for_longer_than_ten_minutes() -> None:
    bucket, clock = Bucket(), Clock()
    calls = KnownCalls(bucket, now_s=clock)
    await calls.get(REF, FIRST)
    clock.now_s = 601.0
    bucket.is_gone = True
    with pytest.raises(ToolUnknown):
        await calls.get(REF, FIRST)


async def test_the_oldest_of_many_calls_are_forgotten() -> None:
    bucket = Bucket()
    calls = KnownCalls(bucket)
    for number in range(501):
        await calls.get(CallRef("acme", f"11111111-1111-4111-8111-{number:012d}"), FIRST)
    await calls.get(CallRef("acme", f"11111111-1111-4111-8111-{0:012d}"), FIRST)
    assert bucket.reads == 502


async def test_whether_a_call_is_private_is_known_from_the_same_reading_and_a_private_ones_key_asked_for() -> None:
    class NeverAsked:
        cluster_key = None

        async def read_config(self, ref: CallRef) -> CallConfig | None:
            raise AssertionError("asked again")

    bucket, ciphers = Bucket(), Ciphers(NeverAsked())  # type: ignore[arg-type]
    await KnownCalls(LearntConfigs(bucket, ciphers)).get(REF, FIRST)
    assert await ciphers.of(REF) is OPEN
    other = CallRef("acme", "22222222-2222-4222-8222-2222222222ab")
    bucket.is_private = True
    await KnownCalls(LearntConfigs(bucket, ciphers)).get(other, FIRST)
    with pytest.raises(AssertionError):
        await ciphers.of(other)
