"""`/tool-template`: ready-made tools, listed, shown and made. Voxbus' own, Vapi has none."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from voxbus_control_api.bodies import new_body
from voxbus_control_api.errors import BadRequest
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.http.described import array_of, described
from voxbus_control_api.http.resource_routes import check_references, shown
from voxbus_control_api.kinds import TOOL
from voxbus_control_api.problems import validated
from voxbus_control_api.resource_store import Resource
from voxbus_control_api.templates import filled_in, template, templates

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]

_TEXT: Final = {"type": "string"}
_FIELDS: Final[Json] = {
    "id": _TEXT,
    "name": _TEXT,
    "description": _TEXT,
    "sources": {"type": "array", "items": _TEXT},
    "credential": {"type": "object", "description": "what to store at /credential before"},
    "variables": {"type": "array", "items": {"type": "object"}},
    "tools": {"type": "array", "items": {"type": "object"}},
}
_TEMPLATE: Final[Json] = {"type": "object", "required": list(_FIELDS), "properties": _FIELDS}
_ASKED: Final[Json] = {
    "type": "object",
    "required": ["credentialId"],
    "properties": {"credentialId": _TEXT, "variables": {"type": "object", "additionalProperties": _TEXT}},
}

router = APIRouter(prefix="/tool-template", tags=["tool templates (Voxbus)"])


class FillIn(BaseModel):
    """What is the customer's own."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    credential_id: str
    variables: dict[str, Any] = {}


@router.get("", **described({"type": "array", "items": _TEMPLATE}, name="listToolTemplates"))
async def list_templates(org: Org) -> list[Json]:
    return list(templates().values())


@router.get("/{template_id}", **described(_TEMPLATE, name="getToolTemplate"))
async def get_template(template_id: str, org: Org) -> Json:
    return template(template_id)


@router.post("/{template_id}", **described(array_of("Tool"), status=201, body=_ASKED, name="createToolsOfTemplate"))
async def create_tools(template_id: str, org: Org, api: Services, body: Body) -> JSONResponse:
    """Its tools, stored like any others from then on."""
    of, asked = template(template_id), validated(FillIn, body)
    if await api.resources.get(org, "credential", asked.credential_id) is None:
        raise BadRequest("credentialId must be the id of a credential")
    bodies = [new_body(TOOL, each) for each in filled_in(of, asked.credential_id, asked.variables)]
    for each in bodies:
        await check_references(api, org, TOOL, each)
    now_ms = api.now_ms()
    made = [Resource(org, TOOL.name, api.new_id(), now_ms, now_ms, each) for each in bodies]
    for resource in made:
        await api.resources.create(resource)
    return JSONResponse([shown(TOOL, each) for each in made], 201)
