"""Settings of llm-orchestrator."""

from pydantic import Field, SecretStr

from voxbus_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """Environment: `VOXBUS_<FIELD>`; the OpenAI key is read from its usual place too."""

    end_of_turn_silence_ms: int | None = Field(default=None, ge=100, le=5_000)
    """ms of silence after the last voiced sample that end the caller's turn, whatever was said, when the assistant
    brings no endpointing plan. Not set: the words and the caller's own pauses decide; that answers finished sentences
    sooner and cuts off fewer others."""

    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    """Key of provider `openai`."""

    openai_base_url: str = ""
    """Another server that speaks OpenAI's protocol; empty = OpenAI's own."""
