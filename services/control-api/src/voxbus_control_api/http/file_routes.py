"""`/file`: what customers upload. Bytes lie in the object store, the rest with the other resources."""

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from voxbus_control_api.errors import BadRequest, Unavailable
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.http.described import array_of, described, list_query, parameter, ref
from voxbus_control_api.http.form import read_upload
from voxbus_control_api.http.resource_routes import found, missing
from voxbus_control_api.listing import Filters, read_filtered
from voxbus_control_api.problems import validated
from voxbus_control_api.resource_store import Resource
from voxbus_control_api.schemas.file import PURPOSES, FilePatch
from voxbus_control_api.uploads import Upload, ending_of, file_body
from voxbus_objects import ObjectFault
from voxbus_objects.keys import customer_file

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]
Form = Annotated[Upload, Depends(read_upload)]

FILE: Final = "file"
_FILTERS: Final = Filters(in_body={"purpose": "purpose"})
_FORM: Final[Json] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "purpose": {"type": "string", "enum": list(PURPOSES)},
        "metadata": {"type": "string", "description": "a JSON object", "enum": ["{}"]},
    },
}
_QUERY: Final = [*list_query(), parameter("purpose", {"type": "string", "enum": list(PURPOSES)})]

router = APIRouter(tags=["file"])


def _described_upload(name: str) -> Json:
    asked = described(ref("File"), status=201, name=name)
    asked["openapi_extra"] = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}}
    return asked


@router.post("/file", **_described_upload("uploadFile"))
async def upload_file(org: Org, api: Services, form: Form) -> JSONResponse:
    """Stored before it is answered."""
    file_id, now_ms = api.new_id(), api.now_ms()
    key = customer_file(org, file_id, ending_of(form.name))
    stored = Resource(org, FILE, file_id, now_ms, now_ms, file_body(form, key))
    try:
        await api.artifacts.objects.put(key, form.content)
    except ObjectFault as fault:
        raise Unavailable(f"the object store does not take the file ({fault.code}); try again") from fault
    await api.resources.create(stored)
    return JSONResponse(await shown_file(api, stored), 201)


@router.post("/file/upload", **_described_upload("uploadFileOlder"))
async def upload_file_older(org: Org, api: Services, form: Form) -> JSONResponse:
    """The older path of the same."""
    return await upload_file(org, api, form)


@router.get("/file", **described(array_of("File"), query=_QUERY, name="listFiles"))
async def list_files(request: Request, org: Org, api: Services) -> JSONResponse:
    purpose = request.query_params.get("purpose")
    if purpose is not None and purpose not in PURPOSES:
        raise BadRequest(f"purpose must be one of the following values: {', '.join(PURPOSES)}")
    files = await api.resources.find(org, FILE, read_filtered(request.query_params, _FILTERS))
    return JSONResponse([await shown_file(api, each) for each in files])


@router.get("/file/{id}", **described(ref("File"), name="getFile"))
async def get_file(id: str, org: Org, api: Services) -> JSONResponse:  # noqa: A002
    """`url` needs no key and expires; ask again for another."""
    return JSONResponse(await shown_file(api, await found(api, org, FILE, id)))


@router.patch("/file/{id}", **described(ref("File"), body=ref("FilePatch"), name="updateFile"))
async def rename_file(id: str, org: Org, api: Services, body: Body) -> JSONResponse:  # noqa: A002
    name, now_ms = validated(FilePatch, body).name, api.now_ms()

    def renamed(there: Resource) -> Resource:
        return replace(there, body={**there.body, "name": name}, updated_at_ms=now_ms)

    after = await api.resources.change(org, FILE, id, renamed)
    if after is None:
        raise missing(FILE, id)
    return JSONResponse(await shown_file(api, after))


@router.delete("/file/{id}", **described(ref("File"), name="deleteFile"))
async def delete_file(id: str, org: Org, api: Services) -> JSONResponse:  # noqa: A002
    """The bytes first: a file that is not listed any more is gone altogether."""
    there = await found(api, org, FILE, id)
    answer = await shown_file(api, there)
    try:
        await api.artifacts.objects.delete(there.body["key"])
    except ObjectFault as fault:
        raise Unavailable(f"the object store does not answer ({fault.code}); try again") from fault
    if await api.resources.delete(org, FILE, id) is None:
        raise missing(FILE, id)
    return JSONResponse(answer)


async def shown_file(api: Api, file: Resource) -> Json:
    """With an address to fetch it by."""
    return {**file.shown(), "url": await api.artifacts.sign(file.body["key"])}
