"""What is personal is sealed, comes back, and is gone when it is left out; nothing else changes."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts import ALL_COMMANDS, ALL_EVENTS, Message, decode
from voxbus_contracts.commands import RunTool
from voxbus_contracts.events import DtmfReceived, SpeechSynthesized, SpokenWord, TranscriptFinal
from voxbus_contracts.privacy import MARK_BYTES, change_personal, has_personal, opened, redacted, sealed

MESSAGES = [model.model_validate(model.example) for model in (*ALL_EVENTS, *ALL_COMMANDS)]
PERSONAL = [message for message in MESSAGES if has_personal(type(message))]


def encrypt(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()[::-1]).decode()


def decrypt(token: str) -> str:
    return base64.urlsafe_b64decode(token)[::-1].decode()


def named(message: Message) -> str:
    return message.name()


@pytest.mark.parametrize("message", MESSAGES, ids=named)
def test_every_message_comes_back_as_it_was(message: Message) -> None:
    assert json.loads(opened(sealed(message, encrypt), decrypt)) == json.loads(message.payload())


@pytest.mark.parametrize("message", PERSONAL, ids=named)
def test_nothing_personal_is_readable_while_sealed_or_there_when_left_out(message: Message) -> None:
    model = type(message)
    values: list[str] = []

    def collect(value: object, _nothing: object) -> object:
        values.append(json.dumps(value, ensure_ascii=False))
        return value

    change_personal(model, json.loads(message.payload()), collect)
    hidden = sealed(message, encrypt)
    for payload in (hidden, redacted(model, message.payload()), redacted(model, hidden)):
        text = payload.decode()
        assert not any(value in text for value in values if len(value) > 4)
    assert (MARK_BYTES in hidden) == bool(values)
    assert MARK_BYTES not in redacted(model, hidden)


@pytest.mark.parametrize("message", PERSONAL, ids=named)
def test_who_has_no_key_reads_a_valid_message_with_nothing_in_it(message: Message) -> None:
    assert decode(message.kind, message.name(), sealed(message, encrypt)) == decode(
        message.kind, message.name(), redacted(type(message), message.payload())
    )


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    final = TranscriptFinal.model_validate({**TranscriptFinal.example, "text": text})
    assert decode("event", "transcript.final", opened(sealed(final, encrypt), decrypt)) == final


def test_arguments_keys_and_words_inside_lists_are_personal_too() -> None:
    run = RunTool(tool_call_id="1", tool_name="x", arguments={"name": "Ada", "list": [1, {"a": "pii:v1:not"}]})
    assert decode("command", "tool.run", opened(sealed(run, encrypt), decrypt)) == run
    assert decode("command", "tool.run", sealed(run, encrypt)) == run.model_copy(update={"arguments": {}})
    keys = DtmfReceived(digits="12#", pts_ms=20)
    assert decode("event", "dtmf.received", sealed(keys, encrypt)) == DtmfReceived(digits="*", pts_ms=20)
    word = SpokenWord(text="Ada", start_ms=0, end_ms=200)
    spoken = SpeechSynthesized.model_validate({**SpeechSynthesized.example, "words": [word]})
    hidden = sealed(spoken, encrypt)
    assert b"Ada" not in hidden
    assert decode("event", "speech.synthesized", opened(hidden, decrypt)) == spoken
