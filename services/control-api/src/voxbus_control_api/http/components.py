"""The named schemas of the OpenAPI document: everything that may be posted, and what is answered."""

from functools import cache
from typing import Any, Final, get_args

from pydantic import TypeAdapter

from voxbus_contracts.commands import Control
from voxbus_control_api.http.described import ref
from voxbus_control_api.http.record_schemas import COUNT, RECORDS, TEXT, TIME
from voxbus_control_api.kinds import KINDS
from voxbus_control_api.schemas.analytics import AnalyticsBody
from voxbus_control_api.schemas.file import FilePatch
from voxbus_control_api.schemas.knowledge_base import AttachedFile
from voxbus_control_api.schemas.structured_output import RunBody

Json = dict[str, Any]

_TEMPLATE: Final = "#/components/schemas/{model}"

_BODIES: Final[dict[str, Any]] = {
    **{f"{kind.title}Body": kind.shape for kind in KINDS},
    "AnalyticsBody": AnalyticsBody,
    "AttachedFile": AttachedFile,
    "FilePatch": FilePatch,
    "StructuredOutputRun": RunBody,
}

_FILE_FACTS: Final[Json] = {"mimetype": TEXT, "bytes": COUNT, "status": TEXT}

_CONTROL_MESSAGE: Final[Json] = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": ["say", "add-message", "control", "end-call", "hangup", "transfer", "handoff"]},
        "destination": {"type": "object", "description": "transfer, handoff: `{type, number|sipUri|assistantName …}`"},
        "content": {"type": "string", "description": "say: the text; `message` as a string means the same"},
        "message": {"description": "add-message: `{role, content}`; say: the text"},
        "control": {"enum": list(get_args(Control))},
        **{name: {"type": "boolean", "default": False} for name in ("endCallAfterSpoken", "interruptAssistantEnabled")},
        **{name: {"type": "boolean", "default": True} for name in ("interruptionsEnabled", "triggerResponseEnabled")},
    },
}

_ANSWERS: Final[dict[str, Json]] = {
    "Error": {
        "type": "object",
        "required": ["message", "error", "statusCode"],
        "properties": {
            "message": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
            "error": TEXT,
            "statusCode": {"type": "integer"},
        },
    },
    "ControlMessage": _CONTROL_MESSAGE,
    "Stored": {
        "type": "object",
        "required": ["id", "orgId", "createdAt", "updatedAt"],
        "properties": {"id": TEXT, "orgId": TEXT, "createdAt": TIME, "updatedAt": TIME},
    },
    "PaginationMetadata": {
        "type": "object",
        "required": ["itemsPerPage", "totalItems", "currentPage"],
        "properties": {
            **{name: COUNT for name in ("itemsPerPage", "totalItems", "currentPage", "totalPages")},
            "hasNextPage": {"type": "boolean"},
            "sortOrder": {"enum": ["ASC", "DESC"]},
        },
    },
    "File": {
        "allOf": [ref("Stored")],
        "type": "object",
        "required": ["object", "status", "name", "originalName", "bytes", "mimetype", "key", "url"],
        "properties": {
            **_FILE_FACTS,
            **{name: TEXT for name in ("name", "originalName", "key", "url", "purpose")},
            "object": {"enum": ["file"]},
            "metadata": {"type": "object", "additionalProperties": True},
        },
    },
    "KnowledgeBaseFile": {
        "type": "object",
        "required": ["id", "knowledgeBaseV2Id", "fileId", "status", "createdAt", "updatedAt"],
        "properties": {
            **_FILE_FACTS,
            **{name: TEXT for name in ("id", "knowledgeBaseV2Id", "fileId", "fileName")},
            "status": {"enum": ["indexing", "ready", "failed"]},
            "createdAt": TIME,
            "updatedAt": TIME,
        },
    },
    "AnalyticsResult": {
        "type": "object",
        "required": ["name", "timeRange", "result"],
        "properties": {
            "name": TEXT,
            "timeRange": {
                "type": "object",
                "required": ["start", "end", "timezone"],
                "properties": {"step": TEXT, "start": TIME, "end": TIME, "timezone": TEXT},
            },
            "result": {"type": "array", "items": {"type": "object", "additionalProperties": True}},
        },
    },
}


@cache
def components() -> Json:
    """Name → schema."""
    adapters = [(name, "validation", TypeAdapter(shape)) for name, shape in _BODIES.items()]
    named, rest = TypeAdapter.json_schemas(adapters, ref_template=_TEMPLATE)  # pyright: ignore[reportArgumentType]
    out = {name: nullable(schema) for name, schema in rest["$defs"].items()}
    for (name, _mode), schema in named.items():
        if schema != ref(str(name)):
            out[str(name)] = nullable(schema)
    for kind in KINDS:
        out[f"{kind.title}Patch"] = partial(out[f"{kind.title}Body"], out)
        out[kind.title] = {"allOf": [ref(f"{kind.title}Body"), ref("Stored")]}
    for shown in (_ANSWERS, RECORDS):
        if twice := out.keys() & shown.keys():
            raise ValueError(f"two schemas of the API's document have the same name: {', '.join(sorted(twice))}")
        out |= shown
    return out


def nullable(schema: Any) -> Any:
    """A copy in which every field that is not required, or of a map, may be null, which is as good as left out."""
    if isinstance(schema, list):
        return [nullable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    out = {name: nullable(value) for name, value in schema.items() if name != "properties"}
    if isinstance(of_maps := out.get("additionalProperties"), dict):
        out["additionalProperties"] = or_null(of_maps)
    if isinstance(schema.get("properties"), dict):
        required = schema.get("required", [])
        fields = {name: nullable(value) for name, value in schema["properties"].items()}
        out["properties"] = {name: each if name in required else or_null(each) for name, each in fields.items()}
    return out


def or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


def partial(schema: Json, named: Json) -> Json:
    """A change: nothing is required, and any field may be null, which takes it away."""
    if "$ref" in schema:
        return partial(named[schema["$ref"].rpartition("/")[2]], named)
    if "oneOf" in schema:
        return {"anyOf": [partial(each, named) for each in schema["oneOf"]]}
    fields = {name: each if name not in schema["required"] else or_null(each) for name, each in _fields(schema)}
    return {"type": "object", "properties": fields, "additionalProperties": True}


def _fields(schema: Json) -> list[tuple[str, Json]]:
    schema.setdefault("required", [])
    return list(schema["properties"].items())
