"""What the parts of an assistant have in common: names as in the public API, unknown fields kept."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class ApiModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True)


class Server(ApiModel):
    """A customer's address that receives messages."""

    url: str | None = None
    timeout_seconds: Annotated[float, Field(ge=1, le=300)] = 20
    headers: dict[str, str] = Field(default_factory=dict[str, str])
    secret: str | None = None
