"""For any interruption point the history is what left media-ingress, word by word: the real table, the real playout."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from joined_call import BUS_MS, JoinedCall, Voice

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.message import Event, Message
from voxbus_control_api.conversation import messages
from voxbus_control_api.past_events import PastEvent
from voxbus_llm_orchestrator.plan import Plan

ANSWERS: list[list[object]] = [
    ["It has shipped and will be with you on Friday.", "You can follow it on our page.", "Is there anything else?"],
    ["Of course, I will change the address right away.", "Which one shall it be?"],
    ["Thank you."],
]
WORDS = ["", "no stop", "what about the other one", "uh-huh", "yes", "wait", "it has shipped", "um"]

speech = st.tuples(st.integers(200, 12_000), st.integers(100, 1_800), st.sampled_from(WORDS))
story = st.fixed_dictionaries(
    {
        "speech": st.lists(speech, min_size=1, max_size=6),
        "greeting": st.sampled_from(["", "Hello there, how are you today?"]),
        "num_words": st.sampled_from([0, 0, 2]),
        "say_at": st.none() | st.integers(100, 12_000),
        "hang_up_at": st.none() | st.integers(500, 14_000),
        "gives_times": st.booleans(),
        "seed": st.integers(0, 1_000),
    }
)


def lived(story: dict[str, Any], **options: Any) -> JoinedCall:
    plan = Plan(
        first_message=story["greeting"],
        first_message_mode="assistant-speaks-first" if story["greeting"] else "assistant-waits-for-user",
        first_message_interruptible=True,
        num_words=story["num_words"],
        silence_timeout_ms=5_000,
    )
    call = JoinedCall(plan, ANSWERS, Voice(story["seed"], story["gives_times"]), **options)
    call.attach()
    call.caller_says("where is my order", 150, 600)
    free_ms = 1_100
    for start, length, text in sorted(story["speech"]):
        begin = max(start, free_ms)
        call.caller_says(text, begin, length)
        free_ms = begin + length + 300
    if story["say_at"]:
        call.happens(story["say_at"], "control-api", c.SayOnCall(content="Please hold.", interrupt_assistant=True))
    if story["hang_up_at"]:
        call.hangs_up(story["hang_up_at"])
    call.run(30_000)
    return call


def left_of(call: JoinedCall, seqs: tuple[int, ...]) -> str:
    return " ".join(text for seq in seqs if (text := call.left_text(seq)))


@settings(max_examples=60, deadline=None)
@given(story)
def test_the_history_equals_the_words_whose_audio_left_media_ingress(story: dict[str, Any]) -> None:
    call = lived(story)
    assert call.state.ended
    assert all(reply.ended for reply in call.state.replies.values()), "the end leaves no reply without its words"
    for reply in call.state.replies.values():
        assert reply.heard == left_of(call, reply.utterances)


@settings(max_examples=25, deadline=None)
@given(story)
def test_the_calls_record_holds_the_words_that_left_and_no_others(story: dict[str, Any]) -> None:
    call = lived({**story, "hang_up_at": None})
    past = [
        PastEvent(entry.event_id, at, entry.producer, 1, 0, at, entry.message)
        for at, entry in enumerate(call.log)
        if isinstance(entry.message, Event)
    ]
    told = [message["message"] for message in messages(past, [], 0) if message["role"] == "bot"]
    left = [left_of(call, reply.utterances) for reply in call.state.replies.values()]
    assert sorted(told) == sorted(text for text in left if text)


@settings(max_examples=40, deadline=None)
@given(story)
def test_every_sample_leaves_once_and_in_order_whatever_is_paused_and_resumed(story: dict[str, Any]) -> None:
    call = lived(story)
    assert call.sent == sorted(set(call.sent))
    for seq in call.left_frames:
        indexes = [index for at, index in call.sent if at == seq]
        assert indexes == list(range(len(indexes)))


@settings(max_examples=40, deadline=None)
@given(story)
def test_every_pause_is_resumed_or_cleared_within_half_a_second_by_decision(story: dict[str, Any]) -> None:
    call = lived({**story, "hang_up_at": None})
    paused: e.PlaybackPaused | None = None
    for entry in call.log:
        match entry.message:
            case e.PlaybackPaused() as event:
                paused = event
            case e.PlaybackResumed() | e.PlaybackCleared() as event if paused is not None:
                assert event.pts_ms - paused.pts_ms <= 500 + 20 + 2 * BUS_MS
                assert not isinstance(event, e.PlaybackResumed) or event.reason == "command"
                paused = None
            case _:
                pass


@settings(max_examples=50, deadline=None)
@given(story, st.floats(0, 0.6), st.integers(0, 10_000))
def test_reports_that_are_lost_late_or_double_add_no_word_and_leave_nobody_waiting(
    story: dict[str, Any], share: float, seed: int
) -> None:
    rng = random.Random(seed)

    def on_the_way(_: JoinedCall, report: Message) -> list[int]:
        may_be_lost = not isinstance(report, e.PlaybackFinished | e.PlaybackCleared)
        if may_be_lost and rng.random() < share:
            return []
        if rng.random() < share:
            return [rng.choice((BUS_MS, 30, 200)), rng.choice((BUS_MS, 250))]
        return [BUS_MS]

    call = lived({**story, "hang_up_at": None}, on_the_way=on_the_way)
    assert call.state.ended
    for reply in call.state.replies.values():
        assert left_of(call, reply.utterances).startswith(reply.heard)


@settings(max_examples=20, deadline=None)
@given(story, st.integers(0, 10_000))
def test_a_lost_end_of_a_sentence_is_known_from_the_start_of_the_next(story: dict[str, Any], seed: int) -> None:
    rng = random.Random(seed)

    def on_the_way(call: JoinedCall, report: Message) -> list[int]:
        is_lost = isinstance(report, e.PlaybackFinished) and not call.texts[report.utterance_seq].endswith("?")
        return [] if is_lost and rng.random() < 0.7 else [BUS_MS]

    alone = {"hang_up_at": None, "greeting": "", "say_at": None, "speech": []}
    call = lived({**story, **alone}, on_the_way=on_the_way)
    (reply,) = [reply for reply in call.state.replies.values() if reply.turn == 1]
    assert reply.heard == left_of(call, reply.utterances) == " ".join(str(text) for text in ANSWERS[0])
