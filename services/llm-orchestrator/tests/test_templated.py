"""What an assistant says and is told, with its placeholders filled in."""

from voxbus_contracts import events as e
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_llm_orchestrator.apply import apply
from voxbus_llm_orchestrator.plan import plan_of
from voxbus_llm_orchestrator.state import CallState
from voxbus_llm_orchestrator.templated import with_templates

ASSISTANT = Assistant.model_validate(
    {
        "firstMessage": "Hello {{ name }}.",
        "endCallMessage": "Bye {{name}}.",
        "messagePlan": {"idleMessages": ["Still there, {{name}}?"]},
        "hooks": [{"on": "customer.speech.timeout", "do": [{"type": "say", "exact": "{{name}}?"}]}],
        "model": {
            "messages": [{"role": "system", "content": "It is {{year}}. Order: {{order}}."}],
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "look"},
                    "messages": [{"type": "request-start", "content": "One second, {{name}}."}],
                }
            ],
            "script": {"rules": [{"when": "(?P<word>.+)", "say": "{{word}}"}]},
        },
    }
)
CONFIG = CallConfig(org="o", call="c", created_at_ms=1_700_000_000_000, assistant=ASSISTANT, variables={"name": "Ada"})


def test_everything_that_is_said_is_filled_in_and_scripts_are_left_alone() -> None:
    told = with_templates(ASSISTANT, CONFIG, {})
    plan = plan_of(CONFIG.model_copy(update={"assistant": told}), None)
    assert (plan.first_message, plan.end_call_message) == ("Hello Ada.", "Bye Ada.")
    assert plan.idle is not None
    assert plan.idle.texts == ("Still there, Ada?",)
    assert plan.hooks[0].acts[0].texts == ("Ada?",)
    assert plan.tool_plan("look").start[0].text == "One second, Ada."
    assert told.model.messages[0].content == "It is 2023. Order: ."
    assert told.model.script == ASSISTANT.model.script


def test_a_variable_of_a_tools_answer_is_known_from_then_on() -> None:
    finished = e.ToolFinished(
        tool_call_id="t", tool_name="look", result="x", duration_ms=1, variables={"order": "4711"}
    )
    state = apply(CallState(), finished)
    assert with_templates(ASSISTANT, CONFIG, state.variables).model.messages[0].content == "It is 2023. Order: 4711."


def test_which_fields_were_given_is_still_known() -> None:
    assistant = Assistant.model_validate({"model": {"timeoutSeconds": 9}})
    assert with_templates(assistant, CONFIG, {}).model.model_fields_set >= {"timeout_seconds"}
    assert "timeout_seconds" not in with_templates(Assistant(), CONFIG, {}).model.model_fields_set
