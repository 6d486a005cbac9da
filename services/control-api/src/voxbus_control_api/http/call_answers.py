"""A call's record with the addresses that may be used now."""

from typing import Any

from voxbus_control_api.call_store import CallRecord
from voxbus_control_api.calls.artifact_access import Artifacts
from voxbus_control_api.errors import NotFound
from voxbus_control_api.http.api import Api
from voxbus_control_api.projection import FILES

Json = dict[str, Any]


async def found_call(api: Api, org: str, call_id: str) -> CallRecord:
    """Raises NotFound."""
    call = await api.calls.get(org, call_id)
    if call is None:
        raise NotFound(f"there is no call {call_id[:64]}")
    return call


def files_of(call: CallRecord) -> dict[str, str]:
    """Track → key of its recording."""
    return call.record["artifact"].get(FILES, {})


async def addressed(call: CallRecord, artifacts: Artifacts) -> Json:
    """The record with the addresses of what was recorded."""
    artifact = {name: value for name, value in call.record["artifact"].items() if name != FILES}
    has_logs = call.is_logged and call.has_ended
    artifact |= await artifacts.fields(call.ref, files_of(call), has_logs=has_logs)
    return {**call.record, "artifact": artifact}


async def shown(api: Api, call: CallRecord) -> Json:
    """As every answer about a call gives it."""
    record = await addressed(call, api.artifacts)
    if call.has_ended:
        return record
    monitor = api.addresses.monitor(call.ref, call.monitor_plan).model_dump(by_alias=True, exclude_none=True)
    return {**record, **_where_to_connect(api, call), "monitor": monitor}


def _where_to_connect(api: Api, call: CallRecord) -> Json:
    kind, transport = call.record["type"], call.record["transport"]
    if kind in ("outboundPhoneCall", "inboundPhoneCall"):
        return {}
    url = api.addresses.transport_url(call.ref)
    if kind == "webCall":
        return {"webCallUrl": url, "transport": {**transport, "callUrl": url, "websocketCallUrl": url}}
    return {"transport": {**transport, "websocketCallUrl": url}}
