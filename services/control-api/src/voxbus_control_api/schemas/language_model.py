"""Which language model answers, and with what."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from voxbus_contracts.api_model import ApiModel
from voxbus_contracts.assistant import KnowledgeBase, Model, StandInModel
from voxbus_control_api.schemas.fields import Json, Url
from voxbus_control_api.schemas.server import ServerBody
from voxbus_control_api.schemas.tools import ToolBody


class ToolRef(ApiModel):
    """A stored tool at a version."""

    tool_id: str
    version: str | None = None


class ModelKnowledge(KnowledgeBase):
    """Whoever knows something; `custom-knowledge-base` is the customer's own, at `server`."""

    provider: str  # pyright: ignore[reportGeneralTypeIssues]  # here it must be told
    server: Annotated[ServerBody | None, Field(validate_default=True)] = None  # pyright: ignore[reportIncompatibleVariableOverride]

    @field_validator("server")
    @classmethod
    def _is_known_of_a_custom_one(cls, server: ServerBody | None, info: ValidationInfo) -> ServerBody | None:
        if info.data.get("provider") == "custom-knowledge-base" and (server is None or not server.url):
            raise ValueError("with its url is required when provider is custom-knowledge-base")
        return server


def _needs_url(url: str | None, info: ValidationInfo) -> str | None:
    if not url and info.data.get("provider") == "custom-llm":
        raise ValueError("is required when provider is custom-llm")
    return url


class StandInBody(StandInModel):
    """A model that answers when the first one fails."""

    url: Annotated[Url | None, Field(validate_default=True)] = None  # pyright: ignore[reportIncompatibleVariableOverride]

    _is_known_of_a_custom_model = field_validator("url")(_needs_url)


class ModelBody(Model):
    """Any provider; `custom-llm` is the customer's own, at `url`."""

    provider: str = "vapi"
    url: Annotated[Url | None, Field(validate_default=True)] = None  # pyright: ignore[reportIncompatibleVariableOverride]
    tools: tuple[ToolBody, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]  # more is known of them
    tool_ids: tuple[str, ...] = ()
    tool_refs: tuple[ToolRef, ...] = ()
    knowledge_base: ModelKnowledge | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    knowledge_base_id: str | None = None
    emotion_recognition_enabled: bool = False
    num_fast_turns: Annotated[float, Field(ge=0)] = 0
    fallback_models: tuple[str | StandInBody, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]
    metadata_send_mode: Literal["off", "variable", "destructured"] = "variable"
    word_level_confidence_enabled: bool = False
    thinking: Json | None = None

    _is_known_of_a_custom_model = field_validator("url")(_needs_url)
