"""`voxbus deliveries`."""

import argparse
import json
import os
from typing import Any, Final

from voxbus_cli.api_access import PrivateApi, api_key, api_url
from voxbus_cli.environment import read_settings
from voxbus_cli.errors import BadInput

Json = dict[str, Any]

_MOST: Final = 1_000


def list_deliveries(arguments: argparse.Namespace) -> int:
    """One line each: id, message, when it was given up, tries, why."""
    for each in _listed(_api(arguments), arguments.call):
        status = f" {each['statusCode']}" if each["statusCode"] else ""
        why = f"{each['reason']}{status}"
        print(f"{each['id']}  {each['type']}  {each['updatedAt']}  tried {each['attempts']} times  {why}")
    return 0


def show_delivery(arguments: argparse.Namespace) -> int:
    """JSON on standard output."""
    print(json.dumps(_api(arguments).request("GET", f"/delivery/{arguments.id}"), ensure_ascii=False, indent=2))
    return 0


def retry_deliveries(arguments: argparse.Namespace) -> int:
    """One, or all of a call in the order they were made."""
    if bool(arguments.id) == bool(arguments.call):
        raise BadInput("give either the ID of a delivery or --call")
    api = _api(arguments)
    ids = [arguments.id] if arguments.id else [each["id"] for each in reversed(_listed(api, arguments.call))]
    for each in ids:
        api.request("POST", f"/delivery/{each}/retry")
        print(f"{each} is being sent again")
    return 0


def _listed(api: PrivateApi, call: str | None) -> list[Json]:
    return api.request("GET", "/delivery", query={"limit": _MOST} | ({"callId": call} if call else {}))


def _api(arguments: argparse.Namespace) -> PrivateApi:
    settings = read_settings(os.environ)
    return PrivateApi(api_url(arguments.url, settings).rstrip("/"), api_key(arguments.key, settings))
