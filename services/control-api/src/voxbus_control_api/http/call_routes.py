"""`/call`: asks for calls, shows their records, controls them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import JSONResponse

from voxbus_contracts import CallRef
from voxbus_contracts.commands import EndCall
from voxbus_contracts.monitor import MonitorPlan
from voxbus_control_api import metrics
from voxbus_control_api.call_request import CallPatch, CallRequest, Kind, kind_of, parse_request, parse_web_request
from voxbus_control_api.call_store import CallRecord
from voxbus_control_api.calls.customers import split
from voxbus_control_api.calls.places import Standing
from voxbus_control_api.calls.repeats import RepeatKey, repeat_key
from voxbus_control_api.calls.starting import Prepared
from voxbus_control_api.errors import Conflict
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.call_answers import found_call, shown
from voxbus_control_api.http.caller import org_of, org_of_web_caller
from voxbus_control_api.http.described import array_of, described, list_query, ref
from voxbus_control_api.listing import read_listing
from voxbus_control_api.problems import validated
from voxbus_control_api.projection import project

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
WebOrg = Annotated[str, Depends(org_of_web_caller)]
Services = Annotated[Api, Depends(api_for)]
Body = Annotated[Json, Depends(read_object)]
OnceKey = Annotated[
    str | None, Header(alias="Idempotency-Key", description="the same request with the same key counts once")
]

_ASKED: Json = CallRequest.model_json_schema()
_PLACED: Json = described({"anyOf": [ref("Call"), ref("CallBatch")]}, status=201, body=_ASKED)
_CALL: Json = described(ref("Call"))
_FILTERS = {"id": "id", "assistantId": "assistant_id", "phoneNumberId": "phone_number_id"}

router = APIRouter(prefix="/call", tags=["calls"])


@router.post("", **_PLACED)
async def create_call(org: Org, api: Services, body: Body, once: OnceKey = None) -> JSONResponse:
    """One call, or with `customers` one for each of them: then the answer is `{results, errors}`.

    Over the WebSocket transport, `transport.websocketCallUrl` is where the caller's audio goes. With `schedulePlan` the
    call is `scheduled` and starts then. No carrier is connected to this server yet: a phone call is stored and ends
    with `call.start.error-get-transport`, nobody is dialled, and `phoneCallProviderBypassEnabled` brings no TwiML.
    """
    key = repeat_key(once, "/call", body)
    if body.get("customers") is not None:
        return JSONResponse(await _create_batch(api, org, body, key), 201)
    (call,) = await _create(api, org, kind_of(body), [body], key)
    return JSONResponse(call, 201)


@router.post("/phone", **_PLACED)
async def create_phone_call(org: Org, api: Services, body: Body, once: OnceKey = None) -> JSONResponse:
    """The old name of `POST /call`."""
    return await create_call(org, api, body, once)


@router.post("/web", **described(ref("Call"), status=201, body=_ASKED))
async def create_web_call(org: WebOrg, api: Services, body: Body, once: OnceKey = None) -> JSONResponse:
    """A call from a browser; a public key will do.

    `webCallUrl` and `transport.callUrl` are the WebSocket transport of this server (16 kHz PCM and JSON messages):
    there is no room of a conferencing service behind them.
    """
    (call,) = await _create(api, org, "webCall", [body], repeat_key(once, "/call/web", body))
    return JSONResponse(call, 201)


async def _create_batch(api: Api, org: str, body: Json, key: RepeatKey | None) -> Json:
    parse_request(body)
    batch = split(body)
    calls = await _create(api, org, kind_of(body), list(batch.bodies), key)
    told = [call["subscriptionLimits"] for call in calls if "subscriptionLimits" in call]
    limits = {**told[-1], "concurrencyBlocked": any(each["concurrencyBlocked"] for each in told)} if told else {}
    return {"subscriptionLimits": limits, "results": calls, "errors": list(batch.errors)}


async def _create(api: Api, org: str, kind: Kind, bodies: list[Json], key: RepeatKey | None) -> list[Json]:
    """As many answers as bodies; an earlier request's when the key was used before."""
    before = await api.calls.made_with(org, key) if key else None
    if before is None:
        prepared = await _prepared(api, org, kind, bodies)
        added = await api.starter.place(org, prepared, key)
        if added.standing is not None:
            metrics.CALLS_CREATED.inc(len(prepared))
            metrics.CALLS_WAITING.inc(len(added.standing.waiting))
            return [await _as_placed(api, each, added.standing) for each in prepared]
        before = added.ids
    return [await shown(api, call) for call in await _still_there(api, org, before)]


async def _prepared(api: Api, org: str, kind: Kind, bodies: list[Json]) -> list[Prepared]:
    """The calls of a batch differ by their customers only: what they name is fetched once."""
    parse = parse_web_request if kind == "webCall" else parse_request
    requests = [parse(body) for body in bodies]
    if not requests:
        return []
    resolved = await api.starter.resolved(org, requests[0], requests[1:])
    return [
        api.starter.prepare(org, request, kind, resolved, body) for request, body in zip(requests, bodies, strict=True)
    ]


async def _as_placed(api: Api, placed: Prepared, standing: Standing) -> Json:
    """`subscriptionLimits.concurrencyBlocked`: the call waits until others of its organisation have ended."""
    facts = placed.new.facts
    plan = MonitorPlan.model_validate(facts.monitor_plan)
    record = CallRecord(CallRef(facts.org, facts.id), False, project(facts, ()), monitor_plan=plan)
    call = await shown(api, record)
    call["subscriptionLimits"] = standing.shown(facts.id)
    if facts.call_type == "webCall":
        call["artifactPlan"] = placed.plan.assistant.get("artifactPlan", {})
    return call


async def _still_there(api: Api, org: str, ids: list[str]) -> list[CallRecord]:
    found = await api.calls.get_many(org, ids)
    if len(found) < len(ids):
        raise Conflict("this Idempotency-Key was used for a call that has been deleted")
    return found


@router.get("", **described(array_of("Call"), query=list_query(fields=tuple(_FILTERS))))
async def list_calls(request: Request, org: Org, api: Services) -> JSONResponse:
    listing = read_listing(request.query_params, _FILTERS)
    return JSONResponse([await shown(api, call) for call in await api.calls.find(org, listing)])


@router.get("/{call_id}", **_CALL)
async def get_call(call_id: str, org: Org, api: Services) -> JSONResponse:
    return JSONResponse(await shown(api, await found_call(api, org, call_id)))


@router.patch("/{call_id}", **described(ref("Call"), body=CallPatch.model_json_schema()))
async def rename_call(call_id: str, org: Org, api: Services, body: Body) -> JSONResponse:
    await found_call(api, org, call_id)
    await api.calls.rename(org, call_id, validated(CallPatch, body).name, api.now_ms())
    return JSONResponse(await shown(api, await found_call(api, org, call_id)))


@router.delete("/{call_id}", **_CALL)
async def delete_call(call_id: str, org: Org, api: Services) -> JSONResponse:
    """Record, recordings and logs of the call are removed; a call still going on is ended."""
    call = await found_call(api, org, call_id)
    reason = "scheduled-call-deleted" if call.record["status"] == "scheduled" else "call-deleted"
    if not call.has_ended and not await api.bus.end_unclaimed(call.ref, reason):
        await api.bus.command(call.ref, EndCall(reason=reason))
    answer = await shown(api, call)
    await api.calls.remove(org, call_id, api.now_ms())
    return JSONResponse(answer)
