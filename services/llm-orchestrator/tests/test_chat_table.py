"""The table of a chat, in virtual time: one answer, tools once, an end whatever happens."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from virtual_chat import ASSISTANT, VirtualChat

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_llm_orchestrator.answering import Failure
from voxbus_llm_orchestrator.chat.lines import turns_for
from voxbus_llm_orchestrator.chat.table import MOST_REPLIES
from voxbus_llm_orchestrator.plan import Plan

WITH_TOOL: list[Any] = [["One ", "moment.", ("order_status", {"order": "4711"})], ["It ships ", "on Friday."]]
DOWN = Failure("model-failed", "openai: is down", retryable=True)
WRONG_KEY = Failure("model-failed", "openai: the key is wrong", retryable=False)


def said(ended: e.ChatEnded) -> list[tuple[str, str]]:
    return [(line.role, line.content) for line in ended.lines]


def test_an_answer_is_told_in_the_pieces_it_came_in_and_then_whole() -> None:
    chat = VirtualChat([["Hello ", "you."]])
    chat.run()
    assert [(word.piece, word.text) for word in chat.all_of(e.ChatWorded)] == [(1, "Hello "), (2, "you.")]
    assert said(chat.ended) == [("assistant", "Hello you.")]
    assert not chat.ended.error


def test_a_tool_is_logged_before_it_is_ordered_and_its_answer_goes_back_to_the_model() -> None:
    chat = VirtualChat(WITH_TOOL)
    chat.run()
    names = [message.name() for message in chat.log]
    assert names.index("tool.requested") < names.index("tool.run") < names.index("tool.finished")
    assert said(chat.ended) == [("assistant", "One moment."), ("tool", "done"), ("assistant", "It ships on Friday.")]
    first = chat.ended.lines[0]
    assert [(call.id, call.name, call.arguments) for call in first.tool_calls] == [
        ("call_1_1", "order_status", {"order": "4711"})
    ]
    assert chat.ended.lines[1].tool_call_id == "call_1_1"


def test_the_model_reads_the_prompt_the_conversation_and_what_the_tools_answered() -> None:
    chat = VirtualChat(WITH_TOOL)
    state = chat.run()
    turns = turns_for(state, ASSISTANT, 2, goes_on=False)
    assert [(turn.role, turn.content) for turn in turns] == [
        ("system", "Be kind."),
        ("user", "hi"),
        ("assistant", "One moment."),
        ("tool", "done"),
    ]


def test_a_model_that_goes_on_after_a_fault_is_shown_what_it_has_written() -> None:
    chat = VirtualChat([["Hello "]])
    state = chat.run()
    turns = turns_for(state, ASSISTANT, 1, goes_on=True)
    assert [turn.role for turn in turns[-2:]] == ["assistant", "system"]
    assert turns[-2].content == "Hello "


@given(st.lists(st.integers(1, 4_000), max_size=3, unique=True), st.integers(1, 2_000))
def test_wherever_workers_die_nothing_is_said_or_run_twice(deaths: list[int], away_ms: int) -> None:
    chat = VirtualChat(WITH_TOOL, dies_at_ms=tuple(sorted(deaths)), away_ms=away_ms)
    chat.run()
    assert said(chat.ended) == [("assistant", "One moment."), ("tool", "done"), ("assistant", "It ships on Friday.")]
    assert "".join(word.text for word in chat.all_of(e.ChatWorded)) == "One moment.It ships on Friday."
    assert [run.tool_call_id for run in chat.all_of(c.RunTool)] == ["call_1_1"]


def test_a_model_that_is_down_is_asked_once_more_and_then_the_chat_has_failed() -> None:
    chat = VirtualChat([[DOWN]])
    chat.run()
    assert chat.requests == [1, 1]
    assert (chat.ended.error, chat.ended.detail) == ("model-failed", "openai: is down")


def test_a_model_that_says_no_is_not_asked_again() -> None:
    chat = VirtualChat([[WRONG_KEY]])
    chat.run()
    assert chat.requests == [1]
    assert chat.ended.error == "model-failed"


def test_a_silent_model_is_asked_again_when_its_patience_is_over() -> None:
    chat = VirtualChat([["Hello."]], hangs=frozenset({0}), plan=Plan(model_patience_ms=5_000))
    chat.run()
    assert said(chat.ended) == [("assistant", "Hello.")]
    assert 5_000 <= chat.now_ms < 6_000


def test_a_model_that_stays_silent_fails_the_chat_within_twice_its_patience() -> None:
    chat = VirtualChat([["Hello."]], hangs=frozenset({0, 1}), plan=Plan(model_patience_ms=5_000))
    chat.run()
    assert chat.ended.error == "model-slow"
    assert chat.now_ms == 10_000


def test_a_tool_that_never_answers_is_given_up_and_the_model_is_told() -> None:
    chat = VirtualChat(WITH_TOOL, tool_ms=10**6, plan=Plan(tool_timeouts_ms={"order_status": 1_000}))
    chat.run()
    assert said(chat.ended)[1] == ("tool", "The tool did not answer in time.")
    assert chat.ended.lines[1].failed


def test_what_takes_longer_than_anybody_waits_has_failed_at_that_time() -> None:
    chat = VirtualChat(WITH_TOOL, tool_ms=10**6, answer_by_ms=3_000)
    chat.run()
    assert (chat.ended.error, chat.now_ms) == ("too-slow", 3_000)
    assert "a tool" in chat.ended.detail


def test_a_model_that_only_calls_tools_is_stopped() -> None:
    chat = VirtualChat([[("again", {})]] * (MOST_REPLIES + 1), tool_ms=1)
    chat.run()
    assert chat.ended.error == "too-many-tools"
    assert len(chat.all_of(c.RunTool)) == MOST_REPLIES


def test_a_farewell_without_words_is_the_assistants_own() -> None:
    chat = VirtualChat([[]], plan=Plan(end_call_message="Bye."), ends_call=True)
    chat.run()
    assert said(chat.ended) == [("assistant", "Bye.")]
    assert chat.ended.end_call
