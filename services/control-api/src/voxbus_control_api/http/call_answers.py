"""A call's record with the addresses that may be used now."""

from typing import Any

from voxbus_control_api.call_store import CallRecord
from voxbus_control_api.http.api import Api

Json = dict[str, Any]


def shown(api: Api, call: CallRecord) -> Json:
    """As every answer about a call gives it."""
    if call.has_ended:
        return call.record
    monitor = {"controlUrl": api.addresses.control_url(call.ref)}
    return {**call.record, **_where_to_connect(api, call), "monitor": monitor}


def _where_to_connect(api: Api, call: CallRecord) -> Json:
    kind, transport = call.record["type"], call.record["transport"]
    if kind == "outboundPhoneCall":
        return {}
    url = api.addresses.transport_url(call.ref)
    if kind == "webCall":
        return {"webCallUrl": url, "transport": {**transport, "callUrl": url, "websocketCallUrl": url}}
    return {"transport": {**transport, "websocketCallUrl": url}}
