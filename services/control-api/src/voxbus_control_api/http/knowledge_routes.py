"""`/v2/knowledge-base/{id}/file`: which files a knowledge base holds."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from voxbus_control_api.errors import BadRequest, Conflict, NotFound, Unavailable
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.http.described import array_of, described, ref
from voxbus_control_api.http.file_routes import FILE
from voxbus_control_api.http.resource_routes import found, missing
from voxbus_control_api.kinds import KNOWLEDGE_BASE
from voxbus_control_api.problems import validated
from voxbus_control_api.projection import iso
from voxbus_control_api.resource_store import Resource
from voxbus_control_api.schemas.knowledge_base import AttachedFile
from voxbus_control_api.uploads import is_text
from voxbus_objects import ObjectFault

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]

router = APIRouter(prefix=KNOWLEDGE_BASE.path, tags=[KNOWLEDGE_BASE.name])


@router.get("/{id}/file", **described(array_of("KnowledgeBaseFile"), name="listKnowledgeBaseFiles"))
async def list_attached(id: str, org: Org, api: Services) -> JSONResponse:  # noqa: A002
    return JSONResponse((await found(api, org, KNOWLEDGE_BASE.name, id)).body["files"])


@router.post(
    "/{id}/file",
    **described(ref("KnowledgeBaseFile"), status=201, body=ref("AttachedFile"), name="attachKnowledgeBaseFile"),
)
async def attach(id: str, org: Org, api: Services, body: Body) -> JSONResponse:  # noqa: A002
    """`ready` when the file can be read as text, else `failed`."""
    file_id = validated(AttachedFile, body).file_id
    await found(api, org, KNOWLEDGE_BASE.name, id)
    file = await api.resources.get(org, FILE, file_id)
    if file is None:
        raise BadRequest("fileId must be the id of a file")
    status = await _status(api, file)
    now = iso(api.now_ms())
    entry: Json = {
        "id": api.new_id(),
        "knowledgeBaseV2Id": id,
        "fileId": file_id,
        "fileName": file.body["name"],
        "mimetype": file.body["mimetype"],
        "bytes": file.body["bytes"],
        "status": status,
        "createdAt": now,
        "updatedAt": now,
    }

    def attached(files: list[Json]) -> list[Json]:
        if any(each["fileId"] == file_id for each in files):
            raise Conflict(f"file {file_id} is in this knowledge base already")
        return [*files, entry]

    await _change(api, org, id, attached)
    return JSONResponse(entry, 201)


@router.delete("/{id}/file/{file_id}", **described(ref("KnowledgeBaseFile"), name="detachKnowledgeBaseFile"))
async def detach(id: str, file_id: str, org: Org, api: Services) -> JSONResponse:  # noqa: A002
    """The file itself stays."""
    taken: list[Json] = []

    def without(files: list[Json]) -> list[Json]:
        taken.append(_entry(files, file_id))
        return [each for each in files if each["fileId"] != file_id]

    await _change(api, org, id, without)
    return JSONResponse(taken[-1])


@router.post("/{id}/file/{file_id}/retry", **described(ref("KnowledgeBaseFile"), name="retryKnowledgeBaseFile"))
async def retry(id: str, file_id: str, org: Org, api: Services) -> JSONResponse:  # noqa: A002
    """Reads the file anew."""
    _entry((await found(api, org, KNOWLEDGE_BASE.name, id)).body["files"], file_id)
    file = await api.resources.get(org, FILE, file_id)
    status = "failed" if file is None else await _status(api, file)
    now = iso(api.now_ms())

    def read_anew(files: list[Json]) -> list[Json]:
        _entry(files, file_id)
        return [{**each, "status": status, "updatedAt": now} if each["fileId"] == file_id else each for each in files]

    after = await _change(api, org, id, read_anew)
    return JSONResponse(_entry(after.body["files"], file_id))


async def _change(api: Api, org: str, base_id: str, files: Any) -> Resource:
    """`files`: the list there is → the list there shall be."""
    now_ms = api.now_ms()

    def changed(there: Resource) -> Resource:
        return replace(there, body={**there.body, "files": files(there.body["files"])}, updated_at_ms=now_ms)

    after = await api.resources.change(org, KNOWLEDGE_BASE.name, base_id, changed)
    if after is None:
        raise missing(KNOWLEDGE_BASE.name, base_id)
    return after


async def _status(api: Api, file: Resource) -> str:
    """Raises Unavailable."""
    try:
        content = await api.artifacts.objects.get(file.body["key"])
    except ObjectFault as fault:
        raise Unavailable(f"the object store does not answer ({fault.code}); try again") from fault
    return "ready" if is_text(file.body["mimetype"], content) else "failed"


def _entry(files: list[Json], file_id: str) -> Json:
    for each in files:
        if each["fileId"] == file_id:
            return each
    raise NotFound(f"there is no file {file_id[:64]} in this knowledge base")
