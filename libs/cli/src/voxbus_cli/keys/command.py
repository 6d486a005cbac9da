"""`voxbus keys`."""

import argparse
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from voxbus_cli.api_access import PrivateApi
from voxbus_cli.environment import StackSettings, read_settings
from voxbus_cli.errors import BadInput

Json = dict[str, Any]

_MOST: Final = 1_000


class Keys(PrivateApi):
    """The `/token` routes of one server, with one private key."""

    def own_id(self) -> str:
        """Id of the key in use."""
        return str(self.request("GET", "/token/self")["id"])


def list_keys(arguments: argparse.Namespace) -> int:
    """One line per key: id, kind, name, end."""
    for key in _keys(arguments).request("GET", f"/token?limit={_MOST}"):
        end = f"until {key['expiresAt']}" if "expiresAt" in key else ""
        print(f"{key['id']}  {key['tag']:7}  {key['createdAt']}  {key.get('name', '')}  {end}".rstrip())
    return 0


def new_key(arguments: argparse.Namespace) -> int:
    """Prints the key, and nothing else, on standard output."""
    body: Json = {"tag": "public" if arguments.public else "private"}
    if arguments.name:
        body["name"] = arguments.name
    limits = {"allowedOrigins": arguments.origin, "allowedAssistantIds": arguments.assistant}
    limits = {name: value for name, value in limits.items() if value}
    if limits and not arguments.public:
        raise BadInput("--origin and --assistant are for keys of pages: give --public too")
    if limits:
        body["restrictions"] = limits
    print(_keys(arguments).request("POST", "/token", body)["value"])
    return 0


def revoke_key(arguments: argparse.Namespace) -> int:
    """At once."""
    gone = _keys(arguments).request("DELETE", f"/token/{arguments.id}")
    print(f"{gone['id']} opens nothing any more")
    return 0


def rotate_key(arguments: argparse.Namespace) -> int:
    """The new key is on disk before the old one gets its end: a cut between leaves two keys, never none."""
    keys, settings = _keys(arguments), read_settings(os.environ)
    old = keys.own_id()
    new = keys.request("POST", "/token", {"tag": "private", "name": "rotated"})["value"]
    print(new)
    if not settings.api_key and _read(settings.api_key_file) == keys.key:
        _replace(settings.api_key_file, new)
    renewed = Keys(_url(arguments, settings), new)
    if arguments.grace:
        end = datetime.now(UTC) + timedelta(hours=arguments.grace)
        renewed.request("PATCH", f"/token/{old}", {"expiresAt": end.isoformat()})
    else:
        renewed.request("DELETE", f"/token/{old}")
    return 0


def _keys(arguments: argparse.Namespace) -> Keys:
    settings = read_settings(os.environ)
    key = arguments.key or settings.api_key or _read(settings.api_key_file)
    if not key:
        raise BadInput("no key: start the stack with `voxbus up`, or give one with --key")
    return Keys(_url(arguments, settings), key)


def _url(arguments: argparse.Namespace, settings: StackSettings) -> str:
    return (arguments.url or _read(settings.api_url_file) or settings.api_url).rstrip("/")


def _read(path: Path) -> str:
    return path.read_text().strip() if path.is_file() else ""


def _replace(path: Path, key: str) -> None:
    """Readable by its owner only, the old or the new one whole."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(f"{key}\n")
        os.fsync(file.fileno())
    fresh.replace(path)
