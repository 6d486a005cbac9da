"""`voxbus tools`."""

import argparse
import json
import os
from typing import Any

from voxbus_cli.api_access import PrivateApi, api_key, api_url
from voxbus_cli.environment import read_settings
from voxbus_cli.errors import BadInput

Json = dict[str, Any]


def list_templates(arguments: argparse.Namespace) -> int:
    """One line each: id, what it does, its tools."""
    for each in _api(arguments).request("GET", "/tool-template"):
        print(f"{each['id']:16}  {each['description']}  ({', '.join(tool['name'] for tool in each['tools'])})")
    return 0


def show_template(arguments: argparse.Namespace) -> int:
    """JSON on standard output."""
    print(json.dumps(_api(arguments).request("GET", f"/tool-template/{arguments.id}"), ensure_ascii=False, indent=2))
    return 0


def create_tools(arguments: argparse.Namespace) -> int:
    """One line for each that was stored: id and name."""
    body = {"credentialId": arguments.credential, "variables": variables_of(arguments.set)}
    for each in _api(arguments).request("POST", f"/tool-template/{arguments.id}", body):
        print(f"{each['id']}  {each.get('name') or each['type']}")
    return 0


def variables_of(pairs: list[str]) -> Json:
    """`["timeZone=Europe/Berlin"]` → `{"timeZone": "Europe/Berlin"}`. Raises BadInput."""
    found: Json = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise BadInput(f"--set: {pair!r} must be NAME=VALUE")
        found[name] = value
    return found


def _api(arguments: argparse.Namespace) -> PrivateApi:
    settings = read_settings(os.environ)
    return PrivateApi(api_url(arguments.url, settings).rstrip("/"), api_key(arguments.key, settings))
