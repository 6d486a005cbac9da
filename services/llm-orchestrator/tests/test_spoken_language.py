"""In which language the caller speaks, where the recognizer tells: noticed once, before the turn it was heard in."""

from typing import Any

import pytest
from test_turn_silence import WAITS, call
from virtual_call import VirtualCall
from virtual_log import fold, shuffled

from voxbus_contracts import events as e
from voxbus_contracts.config import CallConfig
from voxbus_llm_orchestrator.cast import Cast
from voxbus_llm_orchestrator.state import CallState

Said = tuple[str, str | None]


def told(virtual: VirtualCall) -> list[tuple[str | None, str]]:
    """From which language to which."""
    detected = [each for each in virtual.said(e.LanguageDetected) if isinstance(each, e.LanguageDetected)]
    return [(each.before, each.language) for each in detected]


def heard(*said: Said, **assistant: Any) -> VirtualCall:
    """The caller says these, four seconds apart, and is answered each time."""
    virtual = call([["Sure."]] * len(said), **WAITS, **assistant)
    for number, (text, virtual.language) in enumerate(said):
        virtual.caller_says(text, 500 + 4_000 * number, 900)
    return virtual


ENGLISH, SPANISH = ("where is my order", "en"), ("quiero hablar con alguien", "es")
EXPECTED = {"transcriber": {"provider": "custom-transcriber", "language": "en-US"}}


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ((ENGLISH,), [(None, "en")]),
        ((ENGLISH, ENGLISH, SPANISH, SPANISH, ENGLISH), [(None, "en"), ("en", "es"), ("es", "en")]),
        ((("where is my order", None), SPANISH), [(None, "es")]),
        (
            (ENGLISH, ("where is my order", "en-GB"), ("onde fica o banco", "pt-BR")),
            [(None, "en"), ("en", "pt-BR")],
        ),
        ((("where is my order", None),) * 2, []),
    ],
)
def test_each_language_is_noticed_when_the_caller_begins_to_speak_it(
    said: tuple[Said, ...], changes: list[Any]
) -> None:
    assert told(heard(*said).run(22_000)) == changes


@pytest.mark.parametrize(
    ("said", "changes"),
    [((ENGLISH,), []), ((SPANISH,), [("en-US", "es")]), ((SPANISH, ENGLISH), [("en-US", "es"), ("es", "en")])],
)
def test_the_transcribers_language_is_the_one_known_first(said: tuple[Said, ...], changes: list[Any]) -> None:
    assert told(heard(*said, **EXPECTED).run(12_000)) == changes


@pytest.mark.parametrize("language", ["multi", "auto-detect-everything", ""])
def test_a_transcriber_of_many_languages_expects_none(language: str) -> None:
    transcriber = {"provider": "custom-transcriber", "language": language}
    assert told(heard(SPANISH, transcriber=transcriber).run(6_000)) == [(None, "es")]


@pytest.mark.parametrize(
    ("text", "language", "is_enough"),
    [
        ("no", "es", False),
        ("no gracias", "es", True),
        ("", "es", False),
        ("\u662f\u7684", "zh", True),
        ("\u597d", "zh", False),
    ],
)
def test_one_word_is_too_little_to_tell_a_language_by(text: str, language: str, is_enough: bool) -> None:
    virtual = heard(ENGLISH, (text, language), ENGLISH).run(14_000)
    assert ((("en", language) in told(virtual)), len(told(virtual))) == (is_enough, 3 if is_enough else 1)


def test_single_words_of_one_turn_tell_together() -> None:
    virtual = call([["Sure."]], **WAITS, **EXPECTED)
    virtual.language = "es"
    virtual.caller_says("hola", 500, 400)
    virtual.caller_says("quiero", 1_100, 400)
    assert told(virtual.run(6_000)) == [("en-US", "es")]
    assert len(virtual.state.turns) == 1


def test_it_is_known_before_the_turn_is_taken() -> None:
    virtual = heard(SPANISH, **EXPECTED).run(6_000)
    kinds = [type(entry.message) for entry in virtual.log]
    assert kinds.index(e.TranscriptFinal) < kinds.index(e.LanguageDetected) < kinds.index(e.TurnCommitted)


def test_words_the_recognizer_does_not_trust_change_nothing() -> None:
    virtual = call([["Sure."]], **WAITS, transcriber={"language": "en", "confidenceThreshold": 0.5})
    virtual.language = "es"
    virtual.caller_says("algo que nadie dijo", 500, 900, confidence=0.2)
    virtual.run(8_000)
    assert told(virtual) == []
    assert len(virtual.said(e.TranscriptDismissed)) == 1


def test_an_echo_of_the_assistant_changes_nothing() -> None:
    virtual = call([["Sure."]], firstMessage="Good morning and welcome to our shop.", **EXPECTED)
    virtual.language = "de"
    virtual.caller_says("welcome to our shop", 900, 900)
    virtual.run(8_000)
    assert [each.reason for each in virtual.said(e.TranscriptDismissed)] == ["echo"]  # type: ignore[attr-defined]
    assert told(virtual) == []


@pytest.mark.parametrize("dies_ms", [1_500, 1_640, 1_700, 3_000, 5_700, 9_000])
def test_whoever_takes_the_call_over_tells_no_change_twice(dies_ms: int) -> None:
    virtual = heard(SPANISH, ENGLISH, ENGLISH, **EXPECTED)
    virtual.worker_dies(dies_ms)
    virtual.run(16_000)
    assert told(virtual) == [("en-US", "es"), ("es", "en")]
    assert fold(virtual.log) == fold(shuffled(virtual.log, dies_ms)) == virtual.state


def test_what_the_platform_says_of_tools_follows_the_callers_language() -> None:
    contents = [
        {"type": "text", "text": text, "language": at} for at, text in (("en", "One moment."), ("es", "Un momento."))
    ]
    tool = {
        "type": "function",
        "function": {"name": "look"},
        "messages": [{"type": "request-start", "contents": contents}],
    }
    tree = {"org": "o", "call": "c", "created_at_ms": 1, "assistant": {"model": {"tools": [tool]}, **EXPECTED}}
    cast = Cast(CallConfig.model_validate(tree), lambda assistant: assistant, None)
    said = [
        cast.speaking(CallState(language=language))[1].tool_plan("look").start[0].text
        for language in (None, "es-MX", "fr")
    ]
    assert said == ["One moment.", "Un momento.", "One moment."]
