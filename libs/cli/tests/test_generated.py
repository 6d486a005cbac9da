"""What `voxbus gen` makes of the contracts."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from voxbus_cli.generate.asyncapi import asyncapi_document
from voxbus_cli.generate.catalogue import MessageFacts, all_messages, all_requests, json_schema
from voxbus_cli.generate.files import differences, documents, write
from voxbus_cli.generate.page import events_page

READERS = {"vad": frozenset({"speech.started", "speech.say"}), "tts-worker": frozenset({"speech.say"})}
MESSAGES = all_messages(READERS)
REQUESTS = all_requests()


def facts(key: str) -> MessageFacts:
    return next(found for found in MESSAGES if found.key == key)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda found: found.key)
def test_every_example_fits_its_published_schema(message: MessageFacts) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema(message))
    jsonschema.validate(message.message.example, json_schema(message))


def test_examples_of_questions_and_answers_fit_their_published_schemas() -> None:
    assert REQUESTS
    for facts in REQUESTS:
        for shape, schema in zip((facts.request, facts.request.answer), facts.schemas(), strict=True):
            jsonschema.Draft202012Validator.check_schema(schema)
            jsonschema.validate(shape.example, schema)


def test_personal_fields_of_questions_are_marked() -> None:
    (inbound,) = REQUESTS
    assert {f.name for f in inbound.fields if f.is_personal} == {"number", "caller", "variables"}
    assert {f.name for f in inbound.answer_fields if f.is_personal} == {"destination"}


def test_a_payload_that_lacks_a_field_does_not_fit_the_schema() -> None:
    with pytest.raises(jsonschema.ValidationError, match="pts_ms"):
        jsonschema.validate({"reason": "x"}, json_schema(facts("event.call.ended")))


def test_consumers_are_read_from_the_streams_and_the_commands() -> None:
    assert facts("event.usage.recorded").consumers == ("billing",)
    assert facts("command.tool.run").consumers == ("tool-runner",)
    assert facts("command.playback.clear").consumers == ("media-ingress",)
    assert set(facts("event.call.ended").consumers) >= {"billing", "control-api"}


def test_owners_that_follow_a_message_live_are_consumers_but_never_of_their_own() -> None:
    assert facts("command.speech.say").consumers == ("tts-worker", "vad", "control-api-messages")
    assert facts("event.speech.started").consumers == ("control-api-messages",)


def test_personal_fields_are_marked_even_inside_a_list() -> None:
    marks = {field.name: field.is_personal for field in facts("event.speech.synthesized").fields}
    assert marks["words"]
    assert not marks["duration_ms"]
    assert {f.name for f in facts("event.transcript.final").fields if f.is_personal} == {"text"}


def test_the_page_has_every_message_and_every_link_of_it_leads_somewhere() -> None:
    page = events_page(MESSAGES, REQUESTS)
    anchors = {
        re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", page, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= anchors
    assert all(f"### {found.message.kind} {found.message.name()}\n" in page for found in MESSAGES)
    files = {path.name for path in documents(READERS)}
    assert set(re.findall(r"\]\(schemas/([^)]+)\)", page)) == files - {"events.md", "asyncapi.json"}


def test_every_reference_of_the_asyncapi_document_resolves() -> None:
    document = asyncapi_document(MESSAGES, REQUESTS)
    files = {str(path.relative_to("docs")) for path in documents(READERS)}
    references = re.findall(r'"\$ref": "([^"]+)"', json.dumps(document))
    assert len(references) > len(MESSAGES)
    for reference in references:
        if not reference.startswith("#/"):
            assert reference in files
            continue
        found: object = document
        for step in reference.removeprefix("#/").split("/"):
            assert isinstance(found, dict)
            found = found[step]
        assert found


def test_every_message_has_a_sender_and_its_address_names_all_parameters() -> None:
    document = asyncapi_document(MESSAGES)
    sent = {op["channel"]["$ref"] for op in document["operations"].values() if op["action"] == "send"}
    assert sent == {f"#/channels/{found.key}" for found in MESSAGES}
    for channel in document["channels"].values():
        assert re.findall(r"\{(\w+)\}", channel["address"]) == list(channel["parameters"])


def test_writing_makes_the_checkout_agree_and_takes_leftovers_away(tmp_path: Path) -> None:
    wanted = {Path("docs/schemas/event.a.b.v1.json"): "{}\n", Path("docs/events.md"): "page\n"}
    old = tmp_path / "docs/schemas/event.gone.v1.json"
    old.parent.mkdir(parents=True)
    old.write_text("{}")
    (tmp_path / "docs/events.md").write_text("old page\n")
    assert differences(tmp_path, wanted) == [
        "docs/schemas/event.a.b.v1.json is missing",
        "docs/events.md differs",
        "docs/schemas/event.gone.v1.json is left over",
    ]
    write(tmp_path, wanted)
    assert differences(tmp_path, wanted) == []
    assert not old.exists()
