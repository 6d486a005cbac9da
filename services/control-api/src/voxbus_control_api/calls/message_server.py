"""Which address gets a call's server messages, and with which credential. Pure."""

from collections.abc import Mapping
from typing import Any

from voxbus_contracts.api_model import Server
from voxbus_control_api.overrides import modernised
from voxbus_control_api.problems import validated

Json = dict[str, Any]


def server_of(owner: Mapping[str, Any] | None) -> Json | None:
    """The `server` of an assistant, phone number or organisation, also in its older spelling; None without address."""
    if owner is None:
        return None
    server = modernised(dict(owner)).get("server")
    return server if isinstance(server, dict) and server.get("url") else None


def chosen_server(*owners: Mapping[str, Any] | None) -> Json | None:
    """The first that has one: the assistant's, the phone number's, the organisation's."""
    return next((server for owner in owners if (server := server_of(owner)) is not None), None)


def message_server(server: Json | None, credentials: Mapping[str, Json]) -> Json | None:
    """As it stands in a call's configuration, secrets still open; None = the call has no server. Raises BadRequest."""
    if server is None:
        return None
    validated(Server, server, "server")
    credential = credentials.get(server.get("credentialId", ""), {})
    plan = credential.get("authenticationPlan")
    return {"server": server, "authentication": plan if isinstance(plan, dict) else None}
