"""How a model's text is made into pieces for the voice, as the public API words it."""

from typing import Annotated, Any

from pydantic import Field

from voxbus_contracts.api_model import ApiModel


class FormatPlan(ApiModel):
    """What is done to a piece before it is spoken."""

    enabled: bool = Field(default=True, description="false: marks and tags are left in it")
    number_to_digits_cutoff: Annotated[float, Field(ge=0)] = 2025
    replacements: tuple[dict[str, Any], ...] = ()
    formatters_enabled: tuple[str, ...] = ()


class ChunkPlan(ApiModel):
    """Where the model's text is cut for the voice."""

    enabled: bool = Field(default=True, description="false: an answer is one piece")
    min_characters: Annotated[float, Field(ge=1, le=80)] = 30
    punctuation_boundaries: tuple[str, ...] = Field(default=(), description="marks that end a piece; else sentences do")
    format_plan: FormatPlan | None = None
