"""The vocabulary holds together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts import (
    ALL_COMMANDS,
    ALL_EVENTS,
    BadPayload,
    CallRef,
    Envelope,
    UnknownMessage,
    decode,
    read_envelope,
)
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_contracts.envelope import BadEnvelope
from voxbus_contracts.message import Message
from voxbus_contracts.streams import AUDIO, CLAIMS, CONSUMERS, DELIVERIES, EVENTS
from voxbus_contracts.subjects import parse, parse_owner_key

REF = CallRef("org-1", "6f1c0c1e-30a5-4f0e-9a55-7f6f2a3f3bab")


@pytest.mark.parametrize("message", [*ALL_EVENTS, *ALL_COMMANDS], ids=lambda m: f"{m.kind} {m.name()}")
def test_every_message_has_an_owner_and_an_example_that_survives_the_bus(message: type[Message]) -> None:
    assert message.owner
    example = message.model_validate(message.example)
    assert decode(message.kind, message.name(), example.payload()) == example
    parsed = parse(message.subject(REF))
    assert (parsed.kind, parsed.ref, f"{parsed.entity}.{parsed.what}") == (message.kind, REF, message.name())


def test_names_are_unique_and_events_are_in_the_past_tense() -> None:
    names = [message.name() for message in ALL_EVENTS]
    assert len(names) == len(set(names))
    odd = {"transcript.partial", "transcript.final", "call.ringing", "tool.given-up", "analysis.made", "dtmf.sent"}
    assert all(name.endswith("ed") or name in odd for name in names)


def test_a_payload_that_does_not_fit_names_the_field_and_keeps_the_value_to_itself() -> None:
    with pytest.raises(BadPayload, match="pts_ms") as caught:
        decode("event", "call.ended", b'{"pts_ms": "a secret word", "reason": "x"}')
    assert "secret" not in str(caught.value)
    with pytest.raises(UnknownMessage):
        decode("event", "call.exploded", b"{}")


@given(st.integers(0, 2**40), st.integers(0, 10**6), st.sampled_from(["", "00-ab-cd-01"]))
def test_an_envelope_survives_its_headers(at: int, number: int, parent: str) -> None:
    envelope = Envelope("id", "call.ended/1", at, "w", "vad", 7, number, parent)
    assert read_envelope(envelope.headers()) == envelope


def test_a_missing_or_wrong_header_is_named() -> None:
    headers = Envelope("id", "s/1", 1, "w", "vad").headers()
    with pytest.raises(BadEnvelope, match="Vb-Stage"):
        read_envelope({k: v for k, v in headers.items() if k != "Vb-Stage"})
    with pytest.raises(BadEnvelope, match="whole number"):
        read_envelope({**headers, "Vb-Epoch": "one"})
    with pytest.raises(BadEnvelope):
        read_envelope(None)


@pytest.mark.parametrize("token", ["a.b", "a b", "*", ">", "", "x" * 65])
def test_what_is_no_token_never_becomes_a_subject(token: str) -> None:
    with pytest.raises(ValueError, match="org"):
        CallRef(token, REF.call)


def test_a_call_id_must_end_in_two_hex_digits_because_they_are_its_partition() -> None:
    assert REF.part == "ab"
    with pytest.raises(ValueError, match="hex"):
        CallRef("org-1", "call-zz")


def test_owner_keys_come_apart_again() -> None:
    assert parse_owner_key(REF.owner_key("vad")) == ("vad", REF)


def test_consumers_filter_subjects_of_their_stream() -> None:
    prefix = {
        EVENTS.name: ("event.v1.", "command.v1."),
        CLAIMS.name: ("claim.v1.",),
        AUDIO.name: ("audio.v1.",),
        DELIVERIES.name: ("delivery.v1.",),
    }
    for consumer in CONSUMERS:
        assert all(subject.startswith(prefix[consumer.stream]) for subject in consumer.filter_subjects)
        assert consumer.max_ack_pending >= 1_000


def test_a_configuration_keeps_unknown_fields_and_tells_what_was_given_from_what_is_default() -> None:
    given_plan = {"startSpeakingPlan": {"waitSeconds": 0.1}, "somethingNew": {"deep": [1]}}
    config = CallConfig(org="org-1", call=REF.call, created_at_ms=1, assistant=Assistant.model_validate(given_plan))
    back = CallConfig.model_validate_json(config.payload())
    assert back.assistant.model_extra == {"somethingNew": {"deep": [1]}}
    assert back.assistant.start_speaking_plan.model_fields_set == {"wait_seconds"}
    assert back.assistant.max_duration_seconds == 600


def test_fields_that_can_hold_a_persons_words_or_numbers_are_marked() -> None:
    suspects = {"text", "content", "heard", "arguments", "result", "digits", "destination"}
    for message in (*ALL_EVENTS, *ALL_COMMANDS):
        for name, schema in message.model_json_schema()["properties"].items():
            assert name not in suspects or schema.get("x-personal"), f"{message.name()}.{name} is not marked"
