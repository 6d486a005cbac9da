"""Questions and answers in the AsyncAPI document. Pure."""

from collections.abc import Iterable
from typing import Any

from voxbus_cli.generate.catalogue import RequestFacts


def request_channels(requests: Iterable[RequestFacts]) -> dict[str, Any]:
    """One per question, and one for its answers, whose address comes with the question."""
    channels: dict[str, Any] = {}
    for facts in requests:
        channels[facts.key] = {
            "address": facts.request.subject("ORG").replace("ORG", "{org}"),
            "description": facts.summary,
            "parameters": {"org": {"$ref": "#/components/parameters/org"}},
            "messages": {facts.key: {"$ref": f"#/components/messages/{facts.key}"}},
        }
        channels[_answers(facts)] = {
            "address": None,
            "description": facts.answer_summary,
            "messages": {_answers(facts): {"$ref": f"#/components/messages/{_answers(facts)}"}},
        }
    return channels


def request_messages(requests: Iterable[RequestFacts]) -> dict[str, Any]:
    """The question's and the answer's."""
    messages: dict[str, Any] = {}
    for facts in requests:
        shapes = (facts.request, facts.request.answer)
        keys = (facts.key, _answers(facts))
        for key, shape, file in zip(keys, shapes, facts.schema_files, strict=True):
            messages[key] = {
                "name": f"{key}/1",
                "title": shape.__name__,
                "payload": {"$ref": f"schemas/{file}"},
                "examples": [{"payload": shape.example}],
            }
    return messages


def request_operations(requests: Iterable[RequestFacts]) -> dict[str, Any]:
    """Who asks and who answers."""
    operations: dict[str, Any] = {}
    for facts in requests:
        asking = [(f"{owner}.asks.{facts.key}", "send") for owner in facts.request.owner]
        for name, action in (*asking, (f"{facts.request.consumer}.answers.{facts.key}", "receive")):
            operations[name] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{facts.key}"},
                "messages": [{"$ref": f"#/channels/{facts.key}/messages/{facts.key}"}],
                "reply": {
                    "address": {"location": "$message.header#/replyTo"},
                    "channel": {"$ref": f"#/channels/{_answers(facts)}"},
                    "messages": [{"$ref": f"#/channels/{_answers(facts)}/messages/{_answers(facts)}"}],
                },
            }
    return operations


def _answers(facts: RequestFacts) -> str:
    return f"answer.{facts.request.name()}"
