"""The shell around a prepared answer: its model request is aborted, what it said waits, its waste is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from virtual_shell import FakeCall, FakeModel, HearingPeers

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_llm_orchestrator.cast import Cast
from voxbus_llm_orchestrator.models import Models
from voxbus_llm_orchestrator.shell import CallShell
from voxbus_providers.errors import ProviderUnavailable
from voxbus_providers.model import ModelUsage, TextDelta, ToolCall


@asynccontextmanager
async def asked(model: FakeModel) -> AsyncIterator[FakeCall]:
    """A call whose caller has just paused after a whole question."""
    call = FakeCall(
        {
            "firstMessageMode": "assistant-waits-for-user",
            "model": {"provider": "openai", "model": "x", "messages": [{"role": "system", "content": "a" * 400}]},
            "startSpeakingPlan": {"waitSeconds": 0},
        }
    )
    cast = Cast(call.config, lambda assistant: assistant, 300)
    shell = CallShell(call, cast, Models(lambda _: model), HearingPeers(), None)  # type: ignore[arg-type]
    running = asyncio.create_task(shell.run())
    call.hears("media-ingress", e.CallStarted(pts_ms=0, setup_ms=1))
    call.hears("vad", e.SpeechStarted(speech_seq=1, pts_ms=0, detected_pts_ms=60))
    guess = e.TranscriptPartial(transcript_seq=1, text="where is my order", start_pts_ms=0, end_pts_ms=60)
    call.hears("stt-worker", guess)
    call.hears("vad", e.SpeechPaused(speech_seq=1, pts_ms=60, detected_pts_ms=100))
    try:
        await call.says(e.ReplySpeculated)
        yield call
    finally:
        call.leaving.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def stops(call: FakeCall, text: str) -> None:
    call.hears("vad", e.SpeechStopped(speech_seq=1, pts_ms=60, detected_pts_ms=260, voiced_ms=60))
    final = e.TranscriptFinal(
        transcript_seq=1,
        text=text,
        start_pts_ms=0,
        end_pts_ms=60,
        speech_seq=1,
        provider="x",
        recognition_ms=1,
    )
    call.hears("stt-worker", final)


async def test_a_given_answer_goes_on_in_order_with_what_waited_and_is_used_not_wasted() -> None:
    model = FakeModel()
    async with asked(model) as call:
        look = ToolCall("t", "look", {})
        model.say(TextDelta("It ships on Friday. "), look, ModelUsage(120, 9))
        held = await call.says(c.SaySentence)
        assert held.hold
        assert not call.all_of(e.ToolRequested)
        stops(call, "Where is my order?")
        started = await call.says(e.ReplyStarted)
        assert (started.reply, started.utterances, started.anchor_pts_ms) == (held.reply, (held.utterance_seq,), 60)
        await call.says(c.RunTool)
        usage = await call.says(e.UsageRecorded, lambda used: used.unit == "completion_tokens")
        assert (usage.quantity, usage.wasted) == (9, False)
        await call.says(e.ReplyGenerated)
    order = [each.name() for each in call.said if each.name() in ("reply.started", "tool.requested", "reply.generated")]
    assert order == ["reply.started", "tool.requested", "reply.generated"]
    assert len(model.requests) == 1
    assert model.aborted == []


async def test_a_dropped_answers_request_is_aborted_and_its_tokens_are_told_as_wasted() -> None:
    model = FakeModel()
    async with asked(model) as call:
        model.say(TextDelta("It ships on Friday. "), ends=False)
        await call.says(c.SaySentence)
        stops(call, "where is my older brother")
        drop = await call.says(e.ReplyDropped)
        assert model.aborted == [0]
        await call.says(e.UsageRecorded, lambda used: used.unit == "completion_tokens")
        wasted = [(used.unit, used.quantity) for used in call.all_of(e.UsageRecorded) if used.wasted]
        assert wasted == [("prompt_tokens", drop.prompt_tokens), ("completion_tokens", drop.completion_tokens)]
        assert 100 <= drop.prompt_tokens <= 110
        assert drop.characters == len("It ships on Friday.")
        clear = await call.says(c.ClearPlayback)
        assert (clear.up_to_utterance_seq, clear.reply) == (1, 0)
        model.say(TextDelta("He is at home."), request=1)
        answer = await call.says(c.SaySentence, lambda say: not say.hold)
        assert (answer.text, answer.utterance_seq) == ("He is at home.", 2)
    assert [turn.content for turn in model.requests[1].messages[1:]] == ["where is my older brother"]


async def test_a_model_that_fails_ahead_of_the_turn_is_asked_again_when_it_is_over() -> None:
    model = FakeModel()
    async with asked(model) as call:
        model.say(ProviderUnavailable("fake", "busy"))
        drop = await call.says(e.ReplyDropped)
        assert drop.reason == "model-failed"
        stops(call, "where is my order")
        model.say(TextDelta("It ships on Friday."), request=1)
        say = await call.says(c.SaySentence)
        assert not say.hold
    assert len(call.all_of(e.ReplySpeculated)) == 1
    assert not call.all_of(e.FaultRaised)
