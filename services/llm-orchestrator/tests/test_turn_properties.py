"""Whatever happens in whatever order: the table comes to rest, answers each turn once, and the line is never silent."""

import random
from collections import Counter
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_call import Entry, VirtualCall
from virtual_log import fold, shuffled

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.hook import (
    ASSISTANT_INTERRUPTED,
    CUSTOMER_INTERRUPTED,
    ENDING,
    MODEL_TIMEOUT,
    SPEECH_TIMEOUT,
    TIME_ELAPSED,
)
from voxbus_contracts.message import Message
from voxbus_contracts.speaking import StartSpeakingPlan
from voxbus_llm_orchestrator.answering import is_model_reply
from voxbus_llm_orchestrator.endpointing import ByEvidence, Endpointing, endpointing_of
from voxbus_llm_orchestrator.hooks import Act, HookPlan
from voxbus_llm_orchestrator.keypad import KeypadPlan
from voxbus_llm_orchestrator.plan import Idle, Plan

WORDS = ["", "um", "yes.", "stop", "where is my order please", "my number is five five", "and then the", "Thank you!"]
HORIZON_MS = 70_000
HEARD_WITHIN_MS = 14_000
"""A filler is due after 4 s; where the voice is silent too it is said again after 4 s more, then excused."""

CUSTOM = {"provider": "custom-endpointing-model", "server": {"url": "https://a.example"}}
STARTS = [
    {},
    {"transcriptionEndpointingPlan": {}},
    {"smartEndpointingPlan": {"provider": "livekit"}},
    {"smartEndpointingPlan": CUSTOM},
]


OCCASIONS = [ENDING, TIME_ELAPSED, ASSISTANT_INTERRUPTED, CUSTOMER_INTERRUPTED, SPEECH_TIMEOUT, MODEL_TIMEOUT]
ACTS = (Act("say", ("Just so you know.", "By the way.")), Act("tool", tool="look"), Act("message", text="Be brief."))


@dataclass(frozen=True)
class Story:
    """A call: what the caller does, and what goes wrong."""

    speech: list[tuple[int, int, str, bool]]
    keys: list[tuple[int, str]]
    start: int
    greeting: str
    idle: bool
    tool_done_ms: int | None
    say_ms: int | None
    add_ms: int | None
    hooks: list[str]
    hanging: set[int]
    mute: set[int]
    failing: set[int]


stories = st.builds(
    Story,
    speech=st.lists(
        st.tuples(st.integers(200, 25_000), st.integers(100, 2_500), st.sampled_from(WORDS), st.booleans()), max_size=6
    ),
    keys=st.lists(st.tuples(st.integers(100, 25_000), st.sampled_from(["1", "23", "#", "4#"])), max_size=3),
    start=st.integers(0, len(STARTS) - 1),
    greeting=st.sampled_from(["", "Hello there, how are you today?"]),
    idle=st.booleans(),
    tool_done_ms=st.none() | st.integers(4_000, 40_000),
    say_ms=st.none() | st.integers(100, 20_000),
    add_ms=st.none() | st.integers(100, 20_000),
    hooks=st.lists(st.sampled_from(OCCASIONS), max_size=2),
    hanging=st.sets(st.integers(0, 3), max_size=2),
    mute=st.sets(st.integers(1, 6), max_size=2),
    failing=st.sets(st.integers(1, 6), max_size=2),
)


class WatchedCall(VirtualCall):
    """Looks after every line of the log whether two answers to a turn are asked for at a time."""

    def log_it(self, producer: str, message: Message) -> None:
        super().log_it(producer, message)
        waiting = (reply for _, reply in self.state.open_replies if is_model_reply(reply) and not reply.generated)
        answers = Counter(reply.turn for reply in waiting if reply.turn)
        assert all(count == 1 for count in answers.values()), f"two open answers: {answers}"


def plan(story: Story) -> Plan:
    start = StartSpeakingPlan.model_validate(STARTS[story.start])
    idle = Idle(after_ms=6_000, at_most=2, texts=("Are you still there?",)) if story.idle else None
    endpointing: Endpointing = endpointing_of(start, ByEvidence())
    return Plan(
        endpointing=endpointing,
        first_message=story.greeting,
        idle=idle,
        hooks=tuple(HookPlan(on, ACTS, after_ms=9_000) for on in story.hooks),
        keypad=KeypadPlan(1_500, frozenset("#")),
        tool_timeouts_ms={"look": 10_000},
    )


def lived(story: Story, until_ms: int = HORIZON_MS) -> WatchedCall:
    answers: list[list[object]] = [["It is on its way to you right now.", "Anything else?"]] * 8
    if story.tool_done_ms:
        answers.insert(0, ["One moment, please.", ("look", {"n": 1})])
    virtual = WatchedCall(plan(story), answers)
    virtual.hanging, virtual.mute, virtual.failing = story.hanging, story.mute, story.failing
    virtual.attach()
    virtual.advice_ms = [800, None, 300]
    free_ms = 0
    for start, length, text, is_final_lost in sorted(story.speech):
        begin = max(start, free_ms)
        virtual.caller_says(text, begin, length, is_final_lost=is_final_lost)
        free_ms = begin + length + 300
    for pts_ms, digits in story.keys:
        virtual.happens(pts_ms, "media-ingress", e.DtmfReceived(digits=digits, pts_ms=pts_ms))
    if story.tool_done_ms:
        done = e.ToolFinished(tool_call_id="call_2_1", tool_name="look", result="fine", duration_ms=9)
        virtual.happens(story.tool_done_ms, "tool-runner", done)
    if story.say_ms:
        virtual.happens(story.say_ms, "control-api", c.SayOnCall(content="Please hold."))
    if story.add_ms:
        virtual.happens(story.add_ms, "control-api", c.AddMessage(role="system", content="A fact."))
    virtual.run(until_ms)
    return virtual


@settings(max_examples=60, deadline=None)
@given(stories, st.integers(0, 1_000))
def test_every_turn_is_answered_or_the_call_is_over_and_the_log_says_why(story: Story, seed: int) -> None:
    virtual = lived(story)
    state = virtual.state
    answered = {reply.turn for reply in state.replies.values()}
    for turn in virtual.said(e.TurnCommitted):
        assert isinstance(turn, e.TurnCommitted)
        assert turn.reason
        assert turn.turn in answered or not turn.text or state.ended
    assert fold(virtual.log) == state
    assert fold(shuffled(virtual.log, seed)) == state


@settings(max_examples=60, deadline=None)
@given(stories)
def test_all_words_and_keys_belong_to_one_turn_at_most(story: Story) -> None:
    virtual = lived(story)
    taken = Counter(
        seq
        for turn in virtual.said(e.TurnCommitted)
        if isinstance(turn, e.TurnCommitted)
        for seq in turn.transcript_seqs
    )
    assert all(count == 1 for count in taken.values())
    assert virtual.state.keys_taken <= len(virtual.state.keys)


@settings(max_examples=60, deadline=None)
@given(stories)
def test_in_the_assistants_turn_something_is_heard_or_the_call_ends(story: Story) -> None:
    virtual = lived(story)
    state = virtual.state
    sounds = [(p.started_pts_ms, p.last_pts_ms) for p in state.playbacks.values()]
    begins = [stretch.started_pts_ms for stretch in state.stretches.values()] + [key.pts_ms for key in state.keys]
    ended_ms = next((m.pts_ms for m in virtual.said(e.CallEnded) if isinstance(m, e.CallEnded)), HORIZON_MS)
    for turn in state.turns.values():
        until = turn.pts_ms + HEARD_WITHIN_MS
        went_on = any(turn.anchor_pts_ms <= begin <= until for begin in begins)
        if not turn.text or went_on or until > ended_ms:
            continue
        assert any(start <= until and end >= turn.pts_ms for start, end in sounds), f"silence after {turn}"


@settings(max_examples=60, deadline=None)
@given(stories, st.integers(0, 1_000))
def test_transcripts_out_of_order_or_twice_change_nothing_twice(story: Story, seed: int) -> None:
    virtual = lived(story)
    rng = random.Random(seed)
    again: list[Entry] = []
    for entry in virtual.log:
        again.append(entry)
        if isinstance(entry.message, e.TranscriptFinal | e.SpeechStarted | e.SpeechStopped | e.DtmfReceived):
            continue
        if isinstance(entry.message, e.TurnCommitted) and rng.random() < 0.7:
            finals = [old for old in again if isinstance(old.message, e.TranscriptFinal)]
            again += rng.sample(finals, k=len(finals))
    assert fold(again) == virtual.state


@settings(max_examples=60, deadline=None)
@given(stories, st.integers(0, 1_000))
def test_a_call_with_transcripts_told_twice_lives_as_the_call_without(story: Story, seed: int) -> None:
    once, twice = lived(story), lived(story, until_ms=0)
    rng = random.Random(seed)
    for entry in once.log:
        message = entry.message
        if isinstance(message, e.TranscriptFinal) and rng.random() < 0.6:
            twice.happens(message.end_pts_ms + 220 + rng.randrange(0, 9_000), "stt-worker", message)
    twice.run(HORIZON_MS)
    mine, other = once.said(e.TurnCommitted), twice.said(e.TurnCommitted)
    assert mine == other
