"""The scripted model's script: rules over what the caller said; for deterministic flows, demos and load tests.

The first rule that fits answers. A rule fits when all its conditions do; texts are templates: `{{name}}` is a slot
of the pattern, a remembered slot, or a tool's result (`{{result}}`, `{{result.field}}`).
"""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel


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
    turn: Annotated[int | None, Field(ge=1)] = Field(default=None, description="fits only in this turn of the caller")
    requires: tuple[str, ...] = Field(default=(), description="slots that must be known, from this or earlier turns")
    lacks: tuple[str, ...] = Field(default=(), description="slots that must not be known yet")
    say: str | tuple[str, ...] = Field(default=(), description="one text, or several taken in turn")
    call: ScriptedCall | None = None
    set: dict[str, str] = Field(default={}, description="slots to remember")
    end_call: bool = False

    @field_validator("when")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as wrong:
                raise ValueError(f"is no regular expression: {wrong}") from None
        return pattern


class Pace(_ScriptModel):
    """How a real model would stream: for load tests."""

    first_token_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    token_ms: Annotated[int, Field(ge=0, le=10_000)] = 0


class Script(_ScriptModel):
    """All of it."""

    rules: tuple[Rule, ...] = ()
    otherwise: str | tuple[str, ...] = "Sorry, I did not get that."
    pace: Pace = Pace()
