"""Which voice says a sentence, and which one when that fails."""

from voxbus_contracts.assistant import Voice
from voxbus_tts_worker.choosing import Choice, Failure, choices, next_choice
from voxbus_tts_worker.pacing import due_ms

BOTH = ("espeak-ng", "flite")
ESPEAK, FLITE = Choice("espeak-ng"), Choice("flite")


def asked(voice_id: str, provider: str = "vapi") -> tuple[Choice, ...]:
    return choices(Voice(provider=provider, voice_id=voice_id), BOTH)


def test_names_of_other_platforms_mean_the_default_engine() -> None:
    assert asked("Elliot") == (ESPEAK, FLITE)


def test_an_engine_and_its_voice_can_be_asked_for_by_name() -> None:
    assert asked("espeak") == (ESPEAK, FLITE)
    assert asked("espeak-en-gb") == (Choice("espeak-ng", "en-gb"), ESPEAK, FLITE)
    assert asked("flite-rms") == (Choice("flite", "rms"), FLITE, ESPEAK)
    assert asked("stub-200")[0] == Choice("stub", "200")


def test_another_provider_is_tried_first_and_has_stand_ins() -> None:
    assert asked("abc", provider="acme") == (Choice("acme", "abc"), ESPEAK, FLITE)


def test_before_anything_is_heard_every_choice_is_tried_and_the_recoverable_ones_twice() -> None:
    known = (ESPEAK, FLITE)
    failures: list[Failure] = []
    order: list[Choice] = []
    while (choice := next_choice(known, failures, is_audible=False)) is not None:
        order.append(choice)
        failures.append(Failure(choice, retryable=choice == ESPEAK))
    assert order == [ESPEAK, FLITE, ESPEAK]


def test_once_it_is_heard_only_the_same_voice_goes_on_and_only_once() -> None:
    lost = Failure(ESPEAK, retryable=True)
    assert next_choice((ESPEAK, FLITE), [lost], is_audible=True) == ESPEAK
    assert next_choice((ESPEAK, FLITE), [lost, lost], is_audible=True) is None
    assert next_choice((ESPEAK, FLITE), [Failure(ESPEAK, retryable=False)], is_audible=True) is None


def test_a_sentence_begins_at_once_goes_on_quickly_and_never_gets_more_than_ten_seconds_ahead() -> None:
    dues = [due_ms(index, 10_000) for index in range(3_000)]
    assert dues[:15] == [0] * 15
    assert dues == sorted(dues)
    for index, due in enumerate(dues):
        audio_ms = (index + 1) * 20
        assert audio_ms - due <= 10_000
        assert due <= max(audio_ms / 8, audio_ms - 9_800) + 40
