"""A customer's address that receives messages, and how it is tried again."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from voxbus_contracts.api_model import Server
from voxbus_control_api.schemas.fields import Url


class ServerBody(Server):
    """A server as it is posted."""

    url: Url | None = None  # pyright: ignore[reportIncompatibleVariableOverride]  # the same text, checked
    static_ip_addresses_enabled: bool = False
    encrypted_paths: tuple[str, ...] = ()


class NeededServer(ServerBody):
    """A server without which nothing would happen."""

    url: Annotated[Url | None, Field(validate_default=True)] = None

    @field_validator("url")
    @classmethod
    def _is_there(cls, url: str | None, _info: ValidationInfo) -> str:
        if not url:
            raise ValueError("is required")
        return url
