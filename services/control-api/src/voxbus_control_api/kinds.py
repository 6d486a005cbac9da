"""The stored resources of the public API, one row each: everything the routes do follows from this table."""

from typing import Final

from voxbus_control_api.kind import Kind
from voxbus_control_api.listing import Filters
from voxbus_control_api.overrides import assistant_as_read
from voxbus_control_api.schemas.assistant import AssistantBody
from voxbus_control_api.schemas.knowledge_base import KnowledgeBaseBody, OlderKnowledgeBaseBody
from voxbus_control_api.schemas.phone_number import PhoneNumberBody
from voxbus_control_api.schemas.squad import SquadBody
from voxbus_control_api.schemas.structured_output import StructuredOutputBody
from voxbus_control_api.schemas.tools import ToolBody

ASSISTANT: Final = Kind(
    name="assistant",
    path="/assistant",
    title="Assistant",
    shape=AssistantBody,
    lists=(("/assistant", "array"), ("/v2/assistant", "pages")),
    as_read=assistant_as_read,
    patch_aliases=("/assistants",),
)

SQUAD: Final = Kind(
    name="squad",
    path="/squad",
    title="Squad",
    shape=SquadBody,
    lists=(("/squad", "array"),),
    filters=Filters(columns={"idAny": "id"}),
)

TOOL: Final = Kind(
    name="tool",
    path="/tool",
    title="Tool",
    shape=ToolBody,
    lists=(("/tool", "array"),),
    fixed=("type",),
)

PHONE_NUMBER: Final = Kind(
    name="phone-number",
    path="/phone-number",
    title="PhoneNumber",
    shape=PhoneNumberBody,
    lists=(("/phone-number", "array"), ("/v2/phone-number", "pages")),
    filters=Filters(searched=("name", "number", "sipUri")),
    added={"status": "active"},
    fixed=("provider",),
    lookup=("number", "sipUri"),
    masks_secrets=True,
)

KNOWLEDGE_BASE: Final = Kind(
    name="knowledge-base",
    path="/v2/knowledge-base",
    title="KnowledgeBase",
    shape=KnowledgeBaseBody,
    lists=(("/v2/knowledge-base", "array"),),
    added={"files": []},
    hidden_in_lists=("files",),
)

OLDER_KNOWLEDGE_BASE: Final = Kind(
    name="older-knowledge-base",
    path="/knowledge-base",
    title="OlderKnowledgeBase",
    shape=OlderKnowledgeBaseBody,
    lists=(("/knowledge-base", "array"),),
    fixed=("provider",),
)

STRUCTURED_OUTPUT: Final = Kind(
    name="structured-output",
    path="/structured-output",
    title="StructuredOutput",
    shape=StructuredOutputBody,
    lists=(("/structured-output", "pages"),),
    filters=Filters(columns={"id": "id"}, in_body={"name": "name"}),
)

KINDS: Final = (ASSISTANT, SQUAD, TOOL, PHONE_NUMBER, KNOWLEDGE_BASE, OLDER_KNOWLEDGE_BASE, STRUCTURED_OUTPUT)
