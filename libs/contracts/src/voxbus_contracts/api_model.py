"""What the parts of an assistant have in common: names as in the public API, unknown fields kept."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class ApiModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True)


class BackoffPlan(ApiModel):
    """How often and how long apart a failed request is made again."""

    type: Literal["fixed", "exponential"] | dict[str, Any] = "fixed"
    max_retries: Annotated[int, Field(ge=0, le=10)] = 0
    base_delay_seconds: Annotated[float, Field(ge=0, le=10)] = 1
    excluded_status_codes: tuple[Any, ...] = ()


class Server(ApiModel):
    """A customer's address that receives messages. `secret` is the older spelling of a credential."""

    url: str | None = None
    timeout_seconds: Annotated[float, Field(ge=1, le=300)] = 20
    headers: dict[str, str] = Field(default_factory=dict[str, str])
    secret: str | None = None
    credential_id: str | None = None
    backoff_plan: BackoffPlan | None = None
