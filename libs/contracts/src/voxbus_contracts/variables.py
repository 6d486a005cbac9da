"""What becomes variables of the call: known to every template from then on."""

from typing import Annotated, Any

from pydantic import Field

from voxbus_contracts.api_model import ApiModel


class VariableAlias(ApiModel):
    """A variable of the call; `value` is a template over what was extracted."""

    key: str
    value: str


class VariableExtractionPlan(ApiModel):
    """What of a tool's answer becomes variables of the call: the properties of `schema`, then the aliases."""

    properties: Annotated[dict[str, Any], Field(alias="schema")] = Field(default_factory=dict[str, Any])
    aliases: tuple[VariableAlias, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Properties of the schema."""
        found = self.properties.get("properties")
        return tuple(found) if isinstance(found, dict) else ()  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
