"""The scripted model: the pure answer, and its stream."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from voxbus_contracts.assistant import Model
from voxbus_contracts.script import Pace, Rule, Script, ScriptedCall
from voxbus_llm_orchestrator.providers.scripted import DEFAULT_SCRIPT, ScriptedModel, answer
from voxbus_providers.model import EndOfCall, ModelRequest, ModelUsage, TextDelta, ToolCall, Turn
from voxbus_testing.conformance_model import TOOLS, ModelConformance, Prepare, Wanted, parts_of

ORDERS = Script(
    rules=(
        Rule(turn=0, say="Hello, this is the shop."),
        Rule(after_tool="order_status", failed=True, say="Our system is down.", set={"order": ""}),
        Rule(after_tool="order_status", say="Order {{order}} {{result.state}} on {{result.days.0}}."),
        Rule(
            when=r"order (?:number )?(?P<order>\d+)",
            say="Let me check {{order}}.",
            call=ScriptedCall(
                name="order_status", arguments={"order": "{{order}}", "tags": ["no {{order}}", 1], "dry": False}
            ),
        ),
        Rule(when=r"my name is (?P<name>\w+)", say="Nice to meet you, {{name}}.", set={"known": "yes"}),
        Rule(when="who am i", requires=("name",), say="You are {{name}}."),
        Rule(when="who am i", lacks=("name",), say=("I do not know.", "Still no idea.")),
        Rule(when=r"\bbye\b", say="Goodbye {{name}}!", end_call=True),
    ),
    otherwise=("Pardon?", "Say that again?"),
)


def user(*texts: str) -> list[Turn]:
    return [Turn("user", text) for text in texts]


def tool(content: str, *, failed: bool = False, name: str = "order_status") -> Turn:
    return Turn("tool", content, tool_call_id="call_1", tool_name=name, failed=failed)


def says(*messages: Turn, script: Script = ORDERS) -> str:
    return answer(script, messages).text


def test_a_script_is_written_in_json_with_the_names_of_the_public_api() -> None:
    script = {"rules": [{"afterTool": "t", "failed": True, "say": ["a", "b"], "endCall": True}], "pace": {"tokenMs": 5}}
    rule = Rule(after_tool="t", failed=True, say=("a", "b"), end_call=True)
    assert Script.model_validate(script) == Script(rules=(rule,), pace=Pace(token_ms=5))


def test_before_the_caller_said_anything_the_rule_of_turn_0_answers() -> None:
    assert says(Turn("system", "You are a shop.")) == "Hello, this is the shop."


def test_first_rule_that_fits_answers_ignoring_case() -> None:
    fits = answer(ORDERS, user("Well, MY NAME IS Ann, bye"))
    assert fits.text == "Nice to meet you, Ann."
    assert fits.rule == 4
    assert not fits.end_call


def test_a_rule_may_say_and_call() -> None:
    fits = answer(ORDERS, user("Where is order number 4711?"))
    assert fits.text == "Let me check 4711."
    assert fits.tool_call == ToolCall(
        "scripted_1", "order_status", {"order": "4711", "tags": ["no 4711", 1], "dry": False}
    )


def test_fields_of_a_json_result_and_remembered_slots_fill_the_answer_after_the_tool() -> None:
    messages = [*user("Order 4711?"), Turn("assistant", "Let me"), tool('{"state": "ships", "days": ["Friday"]}')]
    assert says(*messages) == "Order 4711 ships on Friday."


def test_fields_that_a_result_does_not_have_are_empty() -> None:
    for content in ("it ships", '{"state": null, "days": []}', "[1]", '{"days": {"0": null}}', "3"):
        assert says(*user("Order 4711?"), tool(content)) == "Order 4711  on ."


def test_a_whole_result_is_said_as_it_came_and_without_the_quotes_of_a_json_text() -> None:
    script = Script(rules=(Rule(after_tool="t", say="{{result}}|{{ result.a.b }}"),))
    for content, said in (("Ships.", "Ships.|"), ('"Ships."', "Ships.|"), ("3.50", "3.50|"), ('{"a":{"b":2.5}}', None)):
        assert says(tool(content, name="t"), script=script) == (said or '{"a":{"b":2.5}}|2.5')


def test_a_failed_tool_has_its_own_rule_and_an_empty_set_forgets() -> None:
    fits = answer(ORDERS, [*user("Order 4711?"), tool("timeout", failed=True)])
    assert fits.text == "Our system is down."
    assert "order" not in fits.slots


def test_rules_about_words_do_not_fit_a_tool_answer_so_that_no_tool_calls_itself() -> None:
    fits = answer(ORDERS, [*user("Order 4711?"), tool("x", name="other_tool")])
    assert (fits.text, fits.tool_call, fits.rule) == ("Pardon?", None, None)


def test_of_several_tool_answers_a_rule_takes_its_own() -> None:
    script = Script(rules=(Rule(after_tool="a", failed=False, say="a {{result}}"), Rule(after_tool="b", say="b")))
    assert says(tool("1", name="a"), tool("2", name="b"), script=script) == "a 1"
    assert says(tool("1", name="a", failed=True), tool("2", name="b"), script=script) == "b"
    assert says(tool("1", name="a"), tool("2", name="a"), script=script) == "a 2"


def test_slots_are_remembered_over_turns_of_other_rules() -> None:
    assert says(*user("My name is Ann", "Order 12 please", "who am I")) == "You are Ann."
    assert answer(ORDERS, user("My name is Ann", "mumble")).slots == {"name": "Ann", "known": "yes"}


def test_texts_are_taken_in_turn_by_how_often_the_rule_answered() -> None:
    heard = ["who am I", "blah", "who am I", "who am I", "blub"]
    said = [says(*user(*heard[:count])) for count in range(1, 6)]
    assert said == ["I do not know.", "Pardon?", "Still no idea.", "I do not know.", "Say that again?"]


def test_slots_of_a_rule_that_did_not_answer_are_not_remembered() -> None:
    script = Script(rules=(Rule(when=r"(?P<digits>\d+) pieces", requires=("order",), say="x"), Rule(say="any")))
    assert answer(script, user("7 pieces")).slots == {}


def test_requires_counts_slots_of_this_turn_and_lacks_only_those_of_earlier_ones() -> None:
    script = Script(
        rules=(
            Rule(when=r"it is (?P<n>\d)?", requires=("n",), lacks=("n",), say="first {{n}}"),
            Rule(when="it is", say="again {{n}}"),
        )
    )
    assert says(*user("it is 5"), script=script) == "first 5"
    assert says(*user("it is 5", "it is"), script=script) == "again 5"


def test_an_unconditional_rule_fits_every_turn_of_the_caller() -> None:
    script = Script(rules=(Rule(turn=2, say="two"), Rule(say=("a", "b"))))
    assert [says(*user(*"xyz"[:count]), script=script) for count in range(4)] == ["a", "a", "two", "b"]


def test_a_slot_that_looks_like_a_template_is_said_and_not_filled() -> None:
    script = Script(rules=(Rule(when="(?P<all>.+)", say="{{all}}"),))
    assert says(*user("{{all}} {{result}}"), script=script) == "{{all}} {{result}}"


def test_the_default_script_greets_echoes_and_says_goodbye() -> None:
    assert says(script=DEFAULT_SCRIPT) == "Hello, how can I help you?"
    assert says(*user("Hi there!"), script=DEFAULT_SCRIPT) == "Hello, how can I help you?"
    assert says(*user("what time is it?"), script=DEFAULT_SCRIPT) == "You said: what time is it."
    for words in ("ok goodbye", "Bye.", "good bye then"):
        farewell = answer(DEFAULT_SCRIPT, user(words))
        assert farewell.end_call, words
        assert farewell.text == "Goodbye, have a nice day."
    assert says(*user(""), script=DEFAULT_SCRIPT) == "Sorry, I did not get that."


CALLER_AND_TOOLS = st.lists(
    st.sampled_from([*user("order 1", "my name is Bo", "who am I", "bye", "hm"), tool("{}"), tool("x", failed=True)]),
    max_size=8,
)
OTHERS = st.lists(st.sampled_from([Turn("assistant", "order 9"), Turn("system", "my name is Eve")]), max_size=2)


@settings(deadline=None)
@given(CALLER_AND_TOOLS, st.data())
def test_what_the_assistant_was_heard_to_say_changes_no_answer(messages: list[Turn], data: st.DataObject) -> None:
    mixed: list[Turn] = []
    for before, message in itertools.pairwise([None, *messages]):
        is_between_tools = before is not None and message is not None and before.role == message.role == "tool"
        mixed += [] if is_between_tools else data.draw(OTHERS)
        mixed += [message] if message else []
    assert answer(ORDERS, [*mixed, *data.draw(OTHERS)]) == answer(ORDERS, messages)


@pytest.mark.parametrize(
    ("script", "field"),
    [
        ({"rules": [{"when": "("}]}, "no regular expression"),
        ({"rules": [{"when": "(?P<result>x)", "say": "x"}]}, "result"),
        ({"rules": [{"when": "x", "set": {"a": "b"}}]}, "say"),
        ({"rules": [{"when": "x", "say": "y", "failed": True}]}, "afterTool"),
        ({"rules": [{"say": "y", "set": {"result": "b"}}]}, "set"),
        ({"rules": [{"say": "y", "turn": -1}]}, "turn"),
        ({"rules": [{"say": "y", "wehn": "x"}]}, "wehn"),
        ({"otherwise": ""}, "otherwise"),
        ({"otherwise": []}, "otherwise"),
    ],
)
def test_a_script_that_cannot_work_is_refused_naming_the_field(script: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Script.model_validate(script)


def ask(script: Script | None, *messages: Turn) -> ModelRequest:
    return ModelRequest(Model(script=script), messages, TOOLS, call="call-1")


async def test_tokens_come_at_the_pace_of_the_script() -> None:
    waits_s: list[float] = []

    async def sleep(seconds: float) -> None:
        waits_s.append(seconds)

    script = Script(rules=(Rule(say="One two three."),), pace=Pace(first_token_ms=150, token_ms=10))
    parts = await parts_of(ScriptedModel(sleep), ask(script, *user("go")))
    assert parts == [TextDelta("One"), TextDelta(" two"), TextDelta(" three."), ModelUsage(1, 3)]
    assert waits_s == [0.15, 0.01, 0.01]


async def test_without_a_pace_nothing_waits() -> None:
    async def sleep(seconds: float) -> None:
        raise AssertionError(f"slept {seconds} s")

    assert await parts_of(ScriptedModel(sleep), ask(None, *user("bye")))


async def test_usage_counts_words_and_a_tool_call_as_one() -> None:
    parts = await parts_of(ScriptedModel(), ask(ORDERS, Turn("system", "You are a shop."), *user("where is order 5")))
    assert parts[-1] == ModelUsage(prompt_tokens=8, completion_tokens=5)
    assert isinstance(parts[-2], ToolCall)


async def test_without_a_script_the_default_one_ends_the_call_on_bye() -> None:
    parts = await parts_of(ScriptedModel(), ask(None, *user("bye")))
    assert parts[-2] == EndOfCall()


class TestScriptedModel(ModelConformance):
    @pytest.fixture
    def model(self) -> ScriptedModel:
        return ScriptedModel()

    @pytest.fixture
    def prepare(self) -> Prepare:
        def prepare(wanted: Wanted) -> ModelRequest:
            call = ScriptedCall(name=wanted.call[0], arguments=wanted.call[1]) if wanted.call else None
            rule = Rule(when=".", say=wanted.text, call=call, end_call=wanted.end_call)
            return ask(Script(rules=(rule,)), *wanted.messages)

        return prepare
