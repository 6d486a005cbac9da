"""Variables of a tool's answer, and what is sent along with its arguments."""

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig
from voxbus_contracts.tool import VariableExtractionPlan
from voxbus_runtime.extraction import extracted
from voxbus_tool_runner.selection import arguments_of

PLAN = VariableExtractionPlan.model_validate(
    {
        "schema": {"type": "object", "properties": {"order": {"type": "string"}, "missing": {"type": "string"}}},
        "aliases": [
            {"key": "city", "value": "{{ $.customer.city | upcase }}"},
            {"key": "price", "value": "$5 {{who}}"},
        ],
    }
)


def test_properties_of_the_schema_and_aliases_become_variables() -> None:
    answer = {"order": "4711", "other": 1, "customer": {"city": "Ulm"}}
    assert extracted(PLAN, answer, {"who": "Ada"}, 1) == {"order": "4711", "city": "ULM", "price": "$5 Ada"}


def test_a_text_that_is_json_is_read() -> None:
    assert extracted(PLAN, '{"order": "4711"}', {}, 1)["order"] == "4711"


def test_an_answer_that_is_no_object_gives_what_its_aliases_make_of_it() -> None:
    assert extracted(PLAN, "just text", {}, 1) == {"city": "", "price": "$5 "}
    assert extracted(None, {"order": "1"}, {}, 1) == {}


def test_a_variable_that_is_too_long_is_left_out() -> None:
    assert "order" not in extracted(PLAN, {"order": "x" * 20_000}, {}, 1)


def test_static_parameters_are_filled_in_and_win_over_the_models() -> None:
    tool = {
        "type": "function",
        "function": {"name": "look"},
        "parameters": [
            {"key": "who", "value": "{{customer.number}} {{order}} {{seen}}"},
            {"key": "deep", "value": {"list": ["{{call.id}}", 3]}},
            {"key": "order", "value": "fixed"},
        ],
    }
    assistant = Assistant.model_validate({"model": {"tools": [tool]}})
    variables = {"customer": {"number": "+49"}}
    config = CallConfig(org="o", call="c-1", created_at_ms=1, assistant=assistant, variables=variables)
    command = RunTool(tool_call_id="t", tool_name="look", arguments={"order": "7", "n": 1}, variables={"seen": "yes"})
    assert arguments_of(config, command, assistant.model.tools[0]) == {
        "order": "fixed",
        "n": 1,
        "who": "+49 7 yes",
        "deep": {"list": ["c-1", 3]},
    }
