"""Which voice says a sentence, and which one when that fails. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from voxbus_contracts.assistant import Voice

PLATFORM: Final = "vapi"
"""The provider name that means the platform's own engines; `voiceId` chooses among them."""
_ENGINE_OF_PREFIX: Final = {"espeak": "espeak-ng", "flite": "flite", "stub": "stub"}


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine and its own name of a voice, empty = its usual one."""

    engine: str
    voice_id: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A choice that did not bring a sentence to its end."""

    choice: Choice
    retryable: bool


def choices(voice: Voice, defaults: Sequence[str]) -> tuple[Choice, ...]:
    """The voice an assistant asks for, then what stands in for it, best first.

    `espeak`, `espeak-<voice>`, `flite`, `flite-<voice>` and `stub` name an engine of the platform; any other id, such
    as the names of a hosted platform's voices, means the default one.
    """
    usual = tuple(Choice(engine) for engine in defaults)
    if voice.provider != PLATFORM:
        return (Choice(voice.provider, voice.voice_id), *usual)
    prefix, _, name = voice.voice_id.partition("-")
    engine = _ENGINE_OF_PREFIX.get(prefix.lower())
    if engine is None:
        return usual
    asked = Choice(engine, name)
    return tuple(dict.fromkeys((asked, Choice(engine), *usual)))


def next_choice(known: Sequence[Choice], failures: Sequence[Failure], is_audible: bool) -> Choice | None:
    """Who tries next; None = nobody can say it.

    Once a part `is_audible`, only the same voice may go on, once more: it gives the same samples again. Before, every
    choice is tried, then those that may recover a second time.
    """
    if is_audible and failures:
        last = failures[-1]
        tried = sum(1 for failure in failures if failure.choice == last.choice)
        return last.choice if last.retryable and tried < 2 else None
    failed = [failure.choice for failure in failures]
    for choice in known:
        if choice not in failed:
            return choice
    for failure in failures:
        if failure.retryable and failed.count(failure.choice) < 2:
            return failure.choice
    return None
