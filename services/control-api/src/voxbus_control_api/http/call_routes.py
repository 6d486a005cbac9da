"""`/call`: asks for calls, shows their records, controls them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from voxbus_contracts import CallRef
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.commands import EndCall
from voxbus_contracts.config import CallConfig
from voxbus_control_api import metrics
from voxbus_control_api.access import sha256_hex
from voxbus_control_api.call_request import CallPatch, CallPlan, CallRequest, parse_request, plan_call
from voxbus_control_api.call_store import CallRecord
from voxbus_control_api.control_messages import command_of
from voxbus_control_api.errors import Conflict, Misconfigured, NotFound, Unauthorized
from voxbus_control_api.http.api import Api, api_of
from voxbus_control_api.http.assistant_routes import found_assistant
from voxbus_control_api.http.body import read_object
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.listing import read_listing
from voxbus_control_api.problems import validated
from voxbus_control_api.projection import CallFacts
from voxbus_runtime.errors import BadSeal
from voxbus_runtime.sealing import seal_config

Json = dict[str, Any]
Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_of)]
Body = Annotated[Json, Depends(read_object)]

_CALL_TYPE = "vapi.websocketCall"
_SCHEMA: Json = {"requestBody": {"content": {"application/json": {"schema": CallRequest.model_json_schema()}}}}

router = APIRouter(prefix="/call", tags=["calls"])


@router.post("", status_code=201, openapi_extra=_SCHEMA)
async def create_call(org: Org, api: Services, body: Body) -> Json:
    """Queued at once; the answer's `transport.websocketCallUrl` is where the caller's audio goes."""
    request = parse_request(body)
    assistant_id = request.assistant_id
    stored = (await found_assistant(api, org, assistant_id)).body if assistant_id else None
    plan = plan_call(request, stored)
    config = _config(api, CallRef(org, api.new_id()), request, plan)
    await api.bus.store_config(config)
    await api.calls.add(_facts(config, body, plan), assistant_id)
    await api.bus.announce(config)
    metrics.CALLS_CREATED.inc()
    return shown(api, await found_call(api, org, config.call))


@router.get("")
async def list_calls(request: Request, org: Org, api: Services) -> list[Json]:
    listing = read_listing(request.query_params, {"id": "id", "assistantId": "assistant_id"})
    return [shown(api, call) for call in await api.calls.find(org, listing)]


@router.get("/{call_id}")
async def get_call(call_id: str, org: Org, api: Services) -> Json:
    return shown(api, await found_call(api, org, call_id))


@router.patch("/{call_id}")
async def rename_call(call_id: str, org: Org, api: Services, body: Body) -> Json:
    await found_call(api, org, call_id)
    await api.calls.rename(org, call_id, validated(CallPatch, body).name, api.now_ms())
    return shown(api, await found_call(api, org, call_id))


@router.delete("/{call_id}")
async def delete_call(call_id: str, org: Org, api: Services) -> Json:
    """Everything said on the call is removed; a call still going on is ended."""
    call = await found_call(api, org, call_id)
    if not call.has_ended and not await api.bus.end_unclaimed(call.ref, "call-deleted"):
        await api.bus.command(call.ref, EndCall(reason="call-deleted"))
    await api.calls.remove(org, call_id, api.now_ms())
    return shown(api, call)


@router.post("/{call_id}/control")
async def control_call(
    call_id: str,
    request: Request,
    api: Services,
    body: Body,
    token: Annotated[str, Query()] = "",
    org: Annotated[str, Query()] = "",
) -> Json:
    """With a private key, or by the call's own `monitor.controlUrl`, which carries a token."""
    call = await found_call(api, await _controller(request, api, call_id, token, org), call_id)
    command = command_of(body)
    if call.has_ended:
        raise Conflict(f"call {call_id} has ended")
    await api.bus.command(call.ref, command)
    return {"status": "accepted"}


async def found_call(api: Api, org: str, call_id: str) -> CallRecord:
    """Raises NotFound."""
    call = await api.calls.get(org, call_id)
    if call is None:
        raise NotFound(f"there is no call {call_id[:64]}")
    return call


def shown(api: Api, call: CallRecord) -> Json:
    """The record with the addresses that may still be used."""
    if call.has_ended:
        return call.record
    transport = {**call.record["transport"], "websocketCallUrl": api.addresses.transport_url(call.ref)}
    return {**call.record, "transport": transport, "monitor": {"controlUrl": api.addresses.control_url(call.ref)}}


async def _controller(request: Request, api: Api, call_id: str, token: str, org: str) -> str:
    if not token:
        return await org_of(request)
    try:
        ref = CallRef(org, call_id)
    except ValueError:
        raise NotFound(f"there is no call {call_id[:64]}") from None
    if not api.addresses.may_control(ref, token):
        raise Unauthorized("this token is not valid for this call")
    return org


def _config(api: Api, ref: CallRef, request: CallRequest, plan: CallPlan) -> CallConfig:
    try:
        sealed = seal_config(plan.assistant, api.cluster_key)
    except BadSeal as missing:
        raise Misconfigured(str(missing)) from missing
    return CallConfig(
        org=ref.org,
        call=ref.call,
        created_at_ms=api.now_ms(),
        call_type=_CALL_TYPE,
        transport=plan.transport,
        attach_token_sha256=sha256_hex(api.addresses.transport_token(ref)),
        assistant_id=request.assistant_id,
        assistant=Assistant.model_validate(sealed),
        join_timeout_ms=api.join_timeout_ms,
        traceparent=api.new_traceparent(),
        variables=plan.variables,
    )


def _facts(config: CallConfig, body: Json, plan: CallPlan) -> CallFacts:
    audio = {
        "format": plan.transport.encoding,
        "container": "raw",
        "sampleRate": plan.transport.sample_rate_hz,
    }
    prompts = [each.content for each in config.assistant.model.messages if each.role == "system" and each.content]
    return CallFacts(
        id=config.call,
        org=config.org,
        created_at_ms=config.created_at_ms,
        updated_at_ms=config.created_at_ms,
        call_type=_CALL_TYPE,
        transport={"provider": plan.transport.provider, "audioFormat": audio},
        body=body,
        system_prompts=tuple(prompts),
    )
