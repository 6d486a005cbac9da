"""When the assistant may start to speak: `startSpeakingPlan` with the public API's names, defaults and ranges.

How long the caller must be silent is told by the first of: a custom endpointing rule that matches, the smart plan, the
transcription plan if one was given, else the platform's own judgement of how complete the turn is.
"""

import math
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from voxbus_contracts.api_model import ApiModel, Server
from voxbus_contracts.formula import Formula
from voxbus_contracts.pattern import Pattern

DEFAULT_WAIT_FUNCTION = "20 + 500 * sqrt(x) + 2500 * x^3"
WAIT_FUNCTION_NAMES = ("x", "t")
"""x: probability that the caller is still speaking; t: seconds since the caller began to."""

_REGEX_OF = {"regex": ("assistant", "customer"), "assistant_regex": ("both",), "customer_regex": ("both",)}


class RegexOption(ApiModel):
    """A way to read a regular expression."""

    type: Literal["ignore-case", "whole-word", "multi-line"]
    enabled: bool = True


RegexOptions = tuple[RegexOption, ...]


class CustomEndpointingRule(ApiModel):
    """When the assistant's last message, what the caller says, or both match: wait this long."""

    type: Literal["assistant", "customer", "both"]
    regex_options: RegexOptions = ()
    assistant_regex_options: RegexOptions = ()
    customer_regex_options: RegexOptions = ()
    regex: Annotated[str | None, Field(validate_default=True)] = None
    assistant_regex: Annotated[str | None, Field(validate_default=True)] = None
    customer_regex: Annotated[str | None, Field(validate_default=True)] = None
    timeout_seconds: Annotated[float, Field(ge=0, le=15)]

    @field_validator("regex", "assistant_regex", "customer_regex")
    @classmethod
    def _fits_the_type(cls, regex: str | None, info: ValidationInfo) -> str | None:
        kind, types = info.data.get("type"), _REGEX_OF[info.field_name or "regex"]
        if kind is None:
            return regex
        if regex is None and kind in types:
            raise ValueError(f"is required when type is {kind}")
        if regex is not None and kind not in types:
            raise ValueError(f"must not be given when type is {kind}")
        if regex is not None:
            Pattern(regex)
        return regex

    def _pattern(self, regex: str, options: RegexOptions) -> Pattern:
        return Pattern(regex, [option.type for option in options if option.enabled])

    @property
    def assistant_pattern(self) -> Pattern | None:
        """What the assistant's last message must match; None = anything."""
        if self.assistant_regex is not None:
            return self._pattern(self.assistant_regex, self.assistant_regex_options)
        return self._pattern(self.regex, self.regex_options) if self.type == "assistant" and self.regex else None

    @property
    def customer_pattern(self) -> Pattern | None:
        """What the caller's words must match; None = anything."""
        if self.customer_regex is not None:
            return self._pattern(self.customer_regex, self.customer_regex_options)
        return self._pattern(self.regex, self.regex_options) if self.type == "customer" and self.regex else None


class SmartEndpointingPlan(ApiModel):
    """Who judges whether the caller has finished.

    `livekit`: the platform's probability through `waitFunction`; `vapi`, `voxbus`: the platform's own policy;
    `krisp`: finished when the probability of it reaches `threshold`; `custom-endpointing-model`: the customer's server.
    """

    provider: Literal["livekit", "vapi", "voxbus", "krisp", "custom-endpointing-model"]
    wait_function: str | None = Field(default=None, description="ms, over x and t; see voxbus_contracts.formula")
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    server: Server | None = Field(default=None, description="without a url the assistant's server is asked")

    @field_validator("wait_function")
    @classmethod
    def _gives_a_wait(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is None:
            return None
        _only_with("livekit", info)
        formula = Formula.parse(text, WAIT_FUNCTION_NAMES)
        for tenths in range(11):
            if math.isnan(formula.value(x=tenths / 10, t=1.0)):
                raise ValueError(f"gives no number at x = {tenths / 10:g}")
        return text

    @field_validator("threshold", "server")
    @classmethod
    def _belongs_to_its_provider(cls, value: object, info: ValidationInfo) -> object:
        if value is not None:
            _only_with("krisp" if info.field_name == "threshold" else "custom-endpointing-model", info)
        return value


def _only_with(provider: str, info: ValidationInfo) -> None:
    if info.data.get("provider", provider) != provider:
        raise ValueError(f"must only be given when provider is {provider}")


class TranscriptionEndpointingPlan(ApiModel):
    """How long a silence ends the turn, by the look of the transcript, s."""

    on_punctuation_seconds: Annotated[float, Field(ge=0, le=3)] = 0.1
    on_no_punctuation_seconds: Annotated[float, Field(ge=0, le=3)] = 1.5
    on_number_seconds: Annotated[float, Field(ge=0, le=3)] = 0.5


class SpeculationPlan(ApiModel):
    """Answers are prepared in the caller's pauses, so that they are ready when the turn is over. Ours, not Vapi's.

    Nothing of a prepared answer is heard, and none of its tools run, before the turn is over. What was prepared for
    nothing is metered as `wasted`; a call that has wasted `max_wasted_tokens` of its model prepares no more.
    """

    enabled: bool = True
    max_wasted_tokens: Annotated[int, Field(ge=0, le=10_000_000)] = 20_000


class StartSpeakingPlan(ApiModel):
    """When the assistant may start. `waitSeconds`: least time from the caller's last sound to the assistant's first."""

    wait_seconds: Annotated[float, Field(ge=0, le=5)] = 0.4
    custom_endpointing_rules: Annotated[tuple[CustomEndpointingRule, ...], Field(max_length=100)] = ()
    smart_endpointing_plan: SmartEndpointingPlan | None = None
    smart_endpointing_enabled: bool | Literal["livekit"] = Field(default=False, description="older spelling of a plan")
    transcription_endpointing_plan: TranscriptionEndpointingPlan = TranscriptionEndpointingPlan()
    speculation: SpeculationPlan = SpeculationPlan()

    @property
    def smart(self) -> SmartEndpointingPlan | None:
        """The smart plan in either spelling."""
        if self.smart_endpointing_plan is not None or not self.smart_endpointing_enabled:
            return self.smart_endpointing_plan
        return SmartEndpointingPlan(provider="livekit" if self.smart_endpointing_enabled == "livekit" else "vapi")
