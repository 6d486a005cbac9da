"""Which voice says a sentence, and which one when that fails. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from voxbus_contracts.assistant import Voice

PLATFORM: Final = "vapi"
"""The provider name that means the platform's own engines; `voiceId` chooses among them."""
_ENGINE_OF_PREFIX: Final = {"espeak": "espeak-ng", "flite": "flite", "stub": "stub"}


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine and its own name of a voice, empty = its usual one.

    `settings` are those of the voice that was asked for; `place` tells voices of the same name apart: 0 = the first.
    """

    engine: str
    voice_id: str = ""
    place: int = 0
    settings: Voice | None = field(default=None, compare=False, repr=False)

    @property
    def patience_s(self) -> float | None:
        """How long its server may take, where the customer says so."""
        server = self.settings.server if self.settings else None
        is_said = server is not None and "timeout_seconds" in server.model_fields_set
        return server.timeout_seconds if server is not None and is_said else None


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
    asked = [_asked(each, place) for place, each in enumerate((voice, *voice.stand_ins))]
    usual = tuple(Choice(engine) for engine in defaults)
    return tuple(dict.fromkeys((*(choice for each in asked for choice in each), *usual)))


def _asked(voice: Voice, place: int) -> tuple[Choice, ...]:
    """Empty for the default one."""
    if voice.provider != PLATFORM:
        return (Choice(voice.provider, voice.voice_id, place, voice),)
    prefix, _, name = voice.voice_id.partition("-")
    engine = _ENGINE_OF_PREFIX.get(prefix.lower())
    return () if engine is None else (Choice(engine, name), Choice(engine))


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
