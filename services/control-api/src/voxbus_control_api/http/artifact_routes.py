"""Recordings and logs of calls: 302 to an address that needs no header, and those addresses of ours."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from voxbus_contracts import CallRef
from voxbus_control_api.calls.artifacts import LOGS, Track
from voxbus_control_api.errors import Forbidden, NotFound, Unavailable
from voxbus_control_api.http.api import Api, api_for
from voxbus_control_api.http.call_answers import files_of, found_call
from voxbus_control_api.http.caller import org_of
from voxbus_control_api.ranges import asked_range
from voxbus_objects import BadKey, BadSignature, ObjectFault, ObjectMissing, check_signature, keys

Org = Annotated[str, Depends(org_of)]
Services = Annotated[Api, Depends(api_for)]

_FOUND: dict[int | str, dict[str, Any]] = {302: {"description": "Found: an address that needs no header and expires"}}
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": {"application/octet-stream": {}}},
    206: {"description": "The asked part of it", "content": {"application/octet-stream": {}}},
}

_PRIVATE = {"content-type": "application/gzip", "cache-control": "private"}

router = APIRouter(tags=["artifacts"])


async def _to_recording(api: Api, org: str, call_id: str, track: Track) -> Response:
    call = await found_call(api, org, call_id)
    key = files_of(call).get(track)
    if key is None:
        raise NotFound(_why_not(call.is_recorded, call.has_ended))
    return RedirectResponse(await api.artifacts.sign(key), 302)


def _why_not(is_recorded: bool, has_ended: bool) -> str:
    if not is_recorded:
        return "this call was not recorded: artifactPlan.recordingEnabled was false, or nothing of it may be kept"
    return "there is no recording of this call" if has_ended else "the recording is made when the call has ended"


@router.get("/call/{call_id}/mono-recording", status_code=302, response_class=RedirectResponse, responses=_FOUND)
async def get_mono_recording(call_id: str, org: Org, api: Services) -> Response:
    """Both sides in one channel."""
    return await _to_recording(api, org, call_id, "mono")


@router.get("/call/{call_id}/stereo-recording", status_code=302, response_class=RedirectResponse, responses=_FOUND)
async def get_stereo_recording(call_id: str, org: Org, api: Services) -> Response:
    """Left the customer, right the assistant."""
    return await _to_recording(api, org, call_id, "stereo")


@router.get("/call/{call_id}/customer-recording", status_code=302, response_class=RedirectResponse, responses=_FOUND)
async def get_customer_recording(call_id: str, org: Org, api: Services) -> Response:
    """The customer alone."""
    return await _to_recording(api, org, call_id, "customer")


@router.get("/call/{call_id}/assistant-recording", status_code=302, response_class=RedirectResponse, responses=_FOUND)
async def get_assistant_recording(call_id: str, org: Org, api: Services) -> Response:
    """What was heard of the assistant."""
    return await _to_recording(api, org, call_id, "assistant")


@router.get("/call/{call_id}/call-logs", status_code=302, response_class=RedirectResponse, responses=_FOUND)
async def get_call_logs(call_id: str, org: Org, api: Services) -> Response:
    """Gzipped JSON lines."""
    call = await found_call(api, org, call_id)
    if not call.is_logged:
        raise NotFound("this call was not logged: artifactPlan.loggingEnabled was false, or nothing of it may be kept")
    if not call.has_ended:
        raise NotFound("the logs are made when the call has ended")
    return RedirectResponse(api.artifacts.sign_logs(call.ref), 302)


@router.get("/call/{call_id}/video-recording", status_code=302, response_class=RedirectResponse, responses=_FOUND)
async def get_video_recording(call_id: str, org: Org, api: Services) -> Response:
    """There is none: no transport of this server carries pictures. A call that is not there is still told apart."""
    await found_call(api, org, call_id)
    raise NotFound("there is no video recording of this call: this server records sound only")


@router.get("/call/{call_id}/pcap", status_code=302, response_class=RedirectResponse, responses=_FOUND)
async def get_packet_capture(call_id: str, org: Org, api: Services) -> Response:
    """There is none: this server does not write down packets. Its logs tell what happened."""
    await found_call(api, org, call_id)
    raise NotFound("there is no packet capture of this call: this server makes none; see its call-logs")


@router.get("/objects/{key:path}", responses=_BYTES, include_in_schema=False)
async def get_object(
    key: str,
    request: Request,
    api: Services,
    expires: Annotated[str, Query()] = "",
    signature: Annotated[str, Query()] = "",
) -> Response:
    """Whoever has the address may read the one object it names, until it expires."""
    try:
        check_signature(api.artifacts.secret, key, expires, signature, api.now_ms() / 1000)
    except (BadKey, BadSignature) as wrong:
        raise Forbidden(str(wrong)) from None
    if key.endswith(f"/{LOGS}.jsonl.gz"):
        return await _logs(api, key)
    return await _content(api, key, request.headers.get("range"))


async def _logs(api: Api, key: str) -> Response:
    org, call_id, _ = key.split("/")
    call = await found_call(api, org, call_id)
    content = await api.artifacts.logs.call_logs(CallRef(org, call.ref.call))
    name = f"{call.ref.call}.jsonl.gz"
    return Response(content, headers={**_PRIVATE, "content-disposition": f'attachment; filename="{name}"'})


async def _content(api: Api, key: str, asked: str | None) -> Response:
    store = api.artifacts.objects
    try:
        size = (await store.head(key)).size_bytes
    except ObjectMissing:
        raise NotFound("there is no such object any more") from None
    except ObjectFault as fault:
        raise Unavailable(f"the object store does not answer ({fault.code}); try again") from fault
    headers = {"cache-control": "private", "accept-ranges": "bytes"}
    part = asked_range(asked, size) if asked else None
    if part is None:
        told = {**headers, "content-length": str(size)}
        return StreamingResponse(store.stream(key), headers=told, media_type=keys.content_type(key))
    start, length = part
    told = {**headers, "content-range": f"bytes {start}-{start + length - 1}/{size}"}
    return Response(await store.get_range(key, start, length), 206, told, keys.content_type(key))
