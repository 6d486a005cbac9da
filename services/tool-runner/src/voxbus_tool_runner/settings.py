"""Settings of the tool runner (`VOXBUS_TOOL_…`) and of the demo server (`VOXBUS_DEMO_…`)."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from voxbus_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """Everything that can be set."""

    tool_workers: int = Field(default=256, ge=1)
    """Tools running at a time; each waits for a customer's server and costs next to nothing."""

    tool_max_answer_bytes: int = Field(default=1024 * 1024, ge=1024)
    """A longer answer of a customer's server is refused unread."""

    twilio_base_url: str = "https://api.twilio.com"
    """Where text messages are handed in: Twilio, or what speaks its API."""

    delivery_connections: int = Field(default=2_000, ge=1)
    """Connections to customers' servers for server messages, apart from those of tools; a call has one at a time."""


class DemoSettings(BaseSettings):
    """Of the demo server, which is no part of the bus."""

    model_config = SettingsConfigDict(env_prefix="VOXBUS_DEMO_", frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = "127.0.0.1"
    """Address it listens on."""

    port: int = Field(default=8090, ge=1, le=65_535)
    """Port it listens on."""
