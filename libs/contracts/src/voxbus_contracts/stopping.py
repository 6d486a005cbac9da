"""When the assistant must stop speaking. Names, defaults and ranges are the public API's."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from voxbus_contracts.api_model import ApiModel

ACKNOWLEDGEMENT_PHRASES = (
    "i understand",
    "i see",
    "i got it",
    "i hear you",
    "im listening",
    "im with you",
    "right",
    "okay",
    "ok",
    "sure",
    "alright",
    "got it",
    "understood",
    "yeah",
    "yes",
    "uh-huh",
    "mm-hmm",
    "gotcha",
    "mhmm",
    "ah",
    "yeah okay",
    "yeah sure",
)

INTERRUPTION_PHRASES = (
    "stop",
    "shut",
    "up",
    "enough",
    "quiet",
    "silence",
    "but",
    "dont",
    "not",
    "no",
    "hold",
    "wait",
    "cut",
    "pause",
    "nope",
    "nah",
    "nevermind",
    "never",
    "bad",
    "actually",
)

Phrase = Annotated[str, Field(max_length=240, pattern=r"\w")]
"""Holds at least one letter or digit."""


class StopSpeakingPlan(ApiModel):
    """When the assistant must stop. A phrase is one or more words; case, apostrophes and hyphens do not matter."""

    num_words: Annotated[int, Field(ge=0, le=10)] = 0
    voice_seconds: Annotated[float, Field(ge=0, le=0.5)] = 0.2
    backoff_seconds: Annotated[float, Field(ge=0, le=10)] = 1.0
    acknowledgement_phrases: tuple[Phrase, ...] = ACKNOWLEDGEMENT_PHRASES
    interruption_phrases: tuple[Phrase, ...] = INTERRUPTION_PHRASES

    @field_validator("interruption_phrases")
    @classmethod
    def _no_phrase_does_both(cls, phrases: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """A list that was left alone yields to the one that was given."""
        acknowledgements = info.data.get("acknowledgement_phrases", ())
        given = acknowledgements != ACKNOWLEDGEMENT_PHRASES and phrases != INTERRUPTION_PHRASES
        if given and {each.casefold() for each in phrases} & {each.casefold() for each in acknowledgements}:
            raise ValueError("must not hold a phrase that acknowledgementPhrases holds too")
        return phrases
