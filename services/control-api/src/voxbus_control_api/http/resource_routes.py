"""Routes of the stored resources: one set per row of the table of kinds."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from voxbus_control_api.bodies import changed_body, new_body
from voxbus_control_api.errors import BadRequest, Conflict, NotFound
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.http.described import array_of, described, list_query, pages_of, ref
from voxbus_control_api.kind import Kind, Shape
from voxbus_control_api.kinds import KINDS
from voxbus_control_api.listing import page_metadata, read_filtered
from voxbus_control_api.references import references_of
from voxbus_control_api.resource_store import Resource

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]


def resource_router() -> APIRouter:
    """Every kind's routes."""
    router = APIRouter()
    for kind in KINDS:
        _add_create(router, kind)
        for path, shape in kind.lists:
            _add_list(router, kind, path, shape)
        _add_one(router, kind)
        _add_patch(router, kind)
    return router


def _add_create(router: APIRouter, kind: Kind) -> None:
    asked = described(ref(kind.title), status=201, body=ref(f"{kind.title}Body"), name=f"create{kind.title}")

    @router.post(kind.path, tags=[kind.name], **asked)
    async def create(org: Org, api: Services, body: Body) -> JSONResponse:  # pyright: ignore[reportUnusedFunction]
        return JSONResponse(shown(kind, await created(api, org, kind, body)), 201)


def _add_list(router: APIRouter, kind: Kind, path: str, shape: Shape) -> None:
    paged = shape == "pages"
    answer = pages_of(kind.title) if paged else array_of(kind.title)
    query = list_query(paged=paged, fields=kind.filters.names)
    asked = described(answer, query=query, name=f"list{kind.title}{shape.title()}")

    @router.get(path, tags=[kind.name], **asked)
    async def find(request: Request, org: Org, api: Services) -> JSONResponse:  # pyright: ignore[reportUnusedFunction]
        listing = read_filtered(request.query_params, kind.filters)
        found = [listed(kind, each) for each in await api.resources.find(org, kind.name, listing)]
        if not paged:
            return JSONResponse(found)
        total = await api.resources.count(org, kind.name, listing)
        return JSONResponse({"results": found, "metadata": page_metadata(listing, total)})


def _add_one(router: APIRouter, kind: Kind) -> None:
    @router.get(f"{kind.path}/{{id}}", tags=[kind.name], **described(ref(kind.title), name=f"get{kind.title}"))
    async def get(id: str, org: Org, api: Services) -> JSONResponse:  # noqa: A002  # pyright: ignore[reportUnusedFunction]
        return JSONResponse(shown(kind, await found(api, org, kind.name, id)))

    @router.delete(f"{kind.path}/{{id}}", tags=[kind.name], **described(ref(kind.title), name=f"delete{kind.title}"))
    async def delete(id: str, org: Org, api: Services) -> JSONResponse:  # noqa: A002  # pyright: ignore[reportUnusedFunction]
        gone = await api.resources.delete(org, kind.name, id)
        if gone is None:
            raise missing(kind.name, id)
        return JSONResponse(shown(kind, gone))


def _add_patch(router: APIRouter, kind: Kind) -> None:
    async def change(id: str, org: Org, api: Services, body: Body) -> JSONResponse:  # noqa: A002
        """Given fields replace those there are; null takes one away."""
        there = await found(api, org, kind.name, id)
        changed = changed_body(kind, there.body, body)
        await check_references(api, org, kind, {name: changed[name] for name in body if name in changed})
        if (lookup := kind.lookup_of(changed)) != there.lookup:
            await _check_free(api, org, kind, lookup)
        now_ms = api.now_ms()

        def laid_over(latest: Resource) -> Resource:
            after = changed_body(kind, latest.body, body)
            return replace(latest, body=after, lookup=kind.lookup_of(after), updated_at_ms=now_ms)

        after = await api.resources.change(org, kind.name, id, laid_over)
        if after is None:
            raise missing(kind.name, id)
        return JSONResponse(shown(kind, after))

    for number, path in enumerate((kind.path, *kind.patch_aliases), start=1):
        name = f"update{kind.title}{number if number > 1 else ''}"
        asked = described(ref(kind.title), body=ref(f"{kind.title}Patch"), name=name)
        router.patch(f"{path}/{{id}}", tags=[kind.name], **asked)(change)


async def created(api: Api, org: str, kind: Kind, body: Json) -> Resource:
    """Checked and stored. Raises BadRequest naming every offending field, or Conflict."""
    try:
        stored = new_body(kind, body)
    except BadRequest as wrong:
        raise BadRequest(*wrong.problems, *await unknown_references(api, org, kind, body)) from None
    await check_references(api, org, kind, stored)
    lookup = kind.lookup_of(stored)
    await _check_free(api, org, kind, lookup)
    now_ms = api.now_ms()
    made = Resource(org, kind.name, api.new_id(), now_ms, now_ms, stored, lookup)
    await api.resources.create(made)
    return made


async def found(api: Api, org: str, kind: str, resource_id: str) -> Resource:
    """Raises NotFound."""
    there = await api.resources.get(org, kind, resource_id)
    if there is None:
        raise missing(kind, resource_id)
    return there


def shown(kind: Kind, resource: Resource) -> Json:
    """As answers give it."""
    return replace(resource, body=kind.shown(resource.body)).shown()


def listed(kind: Kind, resource: Resource) -> Json:
    return {name: value for name, value in shown(kind, resource).items() if name not in kind.hidden_in_lists}


def missing(kind: str, resource_id: str) -> NotFound:
    return NotFound(f"there is no {kind} {resource_id[:64]}")


async def check_references(api: Api, org: str, kind: Kind, body: Json) -> None:
    """Raises BadRequest naming every field that refers to something the organisation does not have."""
    if unknown := await unknown_references(api, org, kind, body):
        raise BadRequest(*unknown)


async def unknown_references(api: Api, org: str, kind: Kind, body: Json) -> list[str]:
    """What is wrong with them, of a body that may be wrong in other ways too."""
    wanted: dict[str, set[str]] = {}
    references = references_of(kind.name, body)
    for reference in references:
        wanted.setdefault(reference.kind, set()).add(reference.id)
    there = {each: await api.resources.get_many(org, each, sorted(ids)) for each, ids in wanted.items()}
    unknown = [reference for reference in references if reference.id not in there[reference.kind]]
    return [f"{each.path} must be the id of {_article(each.kind)} {each.kind}" for each in unknown]


async def _check_free(api: Api, org: str, kind: Kind, lookup: str | None) -> None:
    if lookup is not None and await api.resources.by_lookup(org, kind.name, lookup.replace("\0", "")):
        raise Conflict(f"there is a {kind.name} with this {' or '.join(kind.lookup)} already")


def _article(kind: str) -> str:
    return "an" if kind[0] in "aeiou" else "a"
