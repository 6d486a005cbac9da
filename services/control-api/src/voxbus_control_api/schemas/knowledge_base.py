"""Knowledge bases: today's, which hold uploaded files, and the older kind."""

from typing import Annotated

from pydantic import Field

from voxbus_contracts.api_model import ApiModel
from voxbus_control_api.schemas.server import ServerBody


class KnowledgeBaseBody(ApiModel):
    """A name for files that are asked together."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    description: Annotated[str | None, Field(max_length=1000)] = None


class OlderKnowledgeBaseBody(ApiModel):
    """`custom-knowledge-base` asks the customer's server; other providers are kept."""

    provider: str
    name: str | None = None
    server: ServerBody | None = None


class AttachedFile(ApiModel):
    """The file to attach."""

    file_id: str
