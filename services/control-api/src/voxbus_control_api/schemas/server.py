"""A customer's address that receives messages, and how it is tried again."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from voxbus_contracts.api_model import ApiModel, Server
from voxbus_control_api.schemas.fields import Url


class BackoffPlan(ApiModel):
    """How often and how long apart a failed request is made again."""

    type: Literal["fixed", "exponential"] | dict[str, Any] = "fixed"
    max_retries: Annotated[int, Field(ge=0, le=10)] = 0
    base_delay_seconds: Annotated[float, Field(ge=0, le=10)] = 1
    excluded_status_codes: tuple[Any, ...] = ()


class ServerBody(Server):
    """`secret` is the older spelling of a credential."""

    url: Url | None = None  # pyright: ignore[reportIncompatibleVariableOverride]  # the same text, checked
    credential_id: str | None = None
    static_ip_addresses_enabled: bool = False
    encrypted_paths: tuple[str, ...] = ()
    backoff_plan: BackoffPlan | None = None


class NeededServer(ServerBody):
    """A server without which nothing would happen."""

    url: Annotated[Url | None, Field(validate_default=True)] = None

    @field_validator("url")
    @classmethod
    def _is_there(cls, url: str | None, _info: ValidationInfo) -> str:
        if not url:
            raise ValueError("is required")
        return url
