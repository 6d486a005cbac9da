"""The scripted model's script: rules over what the caller said; for deterministic flows, demos and load tests.

The first rule that fits answers; when none does, `otherwise` is said. A rule fits when all its conditions do. While a
tool's answer waits for a reply only rules with `afterTool` can fit; else only rules without it.

Texts are templates: `{{name}}` is a slot of the pattern or a remembered slot, `{{result}}` what the tool answered,
`{{result.field}}` a field of it when it is JSON (`{{result.items.0.name}}` goes deeper); an unknown name is empty.
Slots of a rule that answered are remembered for the rest of the call, and so is what it sets.
"""

import re
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

RESULT = "result"
"""The name of the tool's answer in templates; no slot can have it."""


_SomeText = Annotated[str, Field(min_length=1)]


class _ScriptModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class ScriptedCall(_ScriptModel):
    """A tool call the rule makes; argument texts are templates."""

    name: str
    arguments: dict[str, Any] = {}


class Rule(_ScriptModel):
    """When the caller says this (or a tool answered), say that."""

    when: str | None = Field(
        default=None,
        description="regular expression, ignoring case, searched in the caller's words; named groups are slots",
    )
    after_tool: str | None = Field(default=None, description="fits when this tool has just answered")
    failed: bool | None = Field(default=None, description="with afterTool: only when it failed (true) or not (false)")
    turn: Annotated[int | None, Field(ge=0)] = Field(
        default=None, description="fits only in this turn of the caller; 0 = before the caller said anything"
    )
    requires: tuple[str, ...] = Field(default=(), description="slots that must be known, from this or earlier turns")
    lacks: tuple[str, ...] = Field(default=(), description="slots that must not be known from earlier turns")
    say: str | tuple[str, ...] = Field(default=(), description="one text, or several taken in turn")
    call: ScriptedCall | None = None
    set: dict[str, str] = Field(default={}, description="slots to remember, templates; an empty text forgets the slot")
    end_call: bool = False

    @field_validator("when")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                slots = re.compile(pattern).groupindex
            except re.error as wrong:
                raise ValueError(f"is no regular expression: {wrong}") from None
            if RESULT in slots:
                raise ValueError(f"a slot cannot be named '{RESULT}': that is the tool's answer")
        return pattern

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.failed is not None and self.after_tool is None:
            raise ValueError("failed: needs afterTool")
        if RESULT in self.set:
            raise ValueError(f"set: a slot cannot be named '{RESULT}': that is the tool's answer")
        if not self.say and self.call is None and not self.end_call:
            raise ValueError("say: the rule says nothing, calls nothing and does not end the call")
        return self


class Pace(_ScriptModel):
    """How a real model would stream: for load tests."""

    first_token_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    token_ms: Annotated[int, Field(ge=0, le=10_000)] = 0


class Script(_ScriptModel):
    """All of it."""

    rules: tuple[Rule, ...] = ()
    otherwise: _SomeText | Annotated[tuple[_SomeText, ...], Field(min_length=1)] = "Sorry, I did not get that."
    pace: Pace = Pace()
