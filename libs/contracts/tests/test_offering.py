"""What the model is told of tools of each type."""

from typing import Any

from voxbus_contracts.offering import asked_schema, offered
from voxbus_contracts.tool import Tool


def tool(**fields: Any) -> Tool:
    return Tool.model_validate(fields)


def parameters(**fields: Any) -> dict[str, Any]:
    found = offered(tool(**fields))
    assert found is not None
    return found.parameters


def test_what_a_request_fixes_is_not_shown_to_the_model() -> None:
    body = {
        "type": "object",
        "required": ["order", "source"],
        "properties": {
            "order": {"type": "string"},
            "source": {"type": "string", "value": "phone"},
            "fixed": {"type": "object", "properties": {"a": {"type": "string", "value": "1"}}},
            "mixed": {"type": "object", "properties": {"a": {"type": "string", "value": "1"}, "b": {"type": "string"}}},
        },
    }
    asked = asked_schema(body)
    assert asked["required"] == ["order"]
    assert list(asked["properties"]) == ["order", "mixed"]
    assert list(asked["properties"]["mixed"]["properties"]) == ["b"]
    assert parameters(type="apiRequest", name="x", url="https://a", body=body)["required"] == ["order"]


def test_a_requests_name_is_made_such_as_a_model_may_call() -> None:
    assert tool(type="apiRequest", name="find my order").name == "find_my_order"
    assert tool(type="apiRequest").name == "apiRequest"


def test_a_query_names_its_knowledge_bases_where_there_is_a_choice() -> None:
    one, two = {"name": "menu", "description": "dishes"}, {"name": "hours"}
    assert "knowledgeBase" not in parameters(type="query", knowledgeBases=[one])["properties"]
    assert parameters(type="query", knowledgeBases=[one, two])["properties"]["knowledgeBase"]["enum"] == [
        "menu",
        "hours",
    ]
    described = offered(tool(type="query", knowledgeBases=[one, two]))
    assert described is not None
    assert "menu: dishes" in described.description


def test_the_assistants_own_words_go_before_those_of_the_type() -> None:
    own = {"name": "press", "description": "Presses.", "parameters": {"type": "object"}, "strict": True}
    found = offered(tool(type="dtmf", function=own))
    assert found is not None
    assert (found.name, found.description, found.parameters) == ("press", "Presses.", {"type": "object"})
    assert (found.model_extra or {})["strict"] is True


def test_what_nothing_runs_is_not_offered() -> None:
    for kind in ("code", "bash", "sipRequest", "mcp", "handoff", "transferCall"):
        assert offered(tool(type=kind)) is None
    for kind in ("function", "endCall", "apiRequest", "dtmf", "query", "sms", "voicemail"):
        assert offered(tool(type=kind)) is not None
