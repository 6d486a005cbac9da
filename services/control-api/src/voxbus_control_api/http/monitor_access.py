"""Who comes to a call's `monitor` addresses: with the token that stands in them, or with a private key."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from voxbus_contracts import CallRef
from voxbus_contracts.monitor import MonitorPlan
from voxbus_control_api.access import Addresses
from voxbus_control_api.call_store import CallRecord
from voxbus_control_api.errors import Forbidden, NotFound, Unauthorized
from voxbus_control_api.http.api import Api
from voxbus_control_api.http.call_answers import found_call
from voxbus_control_api.http.caller import key_of, org_of


@dataclass(frozen=True, slots=True)
class Purpose:
    """What may be done at one kind of address, by which fields of the assistant's plan and which token."""

    field: str
    is_enabled: Callable[[MonitorPlan], bool]
    needs_key: Callable[[MonitorPlan], bool]
    opens: Callable[[Addresses, CallRef, str], bool]


CONTROL = Purpose(
    "controlEnabled",
    lambda plan: plan.control_enabled,
    lambda plan: plan.control_authentication_enabled,
    lambda addresses, ref, token: addresses.may_control(ref, token),
)
LISTEN = Purpose(
    "listenEnabled",
    lambda plan: plan.listen_enabled,
    lambda plan: plan.listen_authentication_enabled,
    lambda addresses, ref, token: addresses.may_listen(ref, token),
)


async def reached_call(connection: HTTPConnection, api: Api, call_id: str, purpose: Purpose) -> CallRecord:
    """The call that may be listened to or controlled. Raises NotFound, Unauthorized, Forbidden, TooManyRequests."""
    token = connection.query_params.get("token", "")
    if token:
        call = await _by_token(connection, api, call_id, purpose, token)
    else:
        call = await found_call(api, await org_of(connection), call_id)
    if not purpose.is_enabled(call.monitor_plan):
        raise Forbidden(f"monitorPlan.{purpose.field} is false for this call")
    return call


async def _by_token(connection: HTTPConnection, api: Api, call_id: str, purpose: Purpose, token: str) -> CallRecord:
    try:
        ref = CallRef(connection.query_params.get("org", ""), call_id)
    except ValueError:
        raise NotFound(f"there is no call {call_id[:64]}") from None
    if not purpose.opens(api.addresses, ref, token):
        raise Unauthorized("this token is not valid for this call")
    call = await found_call(api, ref.org, call_id)
    if purpose.needs_key(call.monitor_plan):
        key = await key_of(connection)
        if key.org != ref.org:
            raise Unauthorized("this key is not valid for this call")
    return call
