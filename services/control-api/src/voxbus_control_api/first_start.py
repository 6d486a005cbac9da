"""What is made when the API starts on a new data directory: a key, a secret for addresses, the demo assistant."""

import hashlib
import hmac
import json
import os
import secrets
import uuid
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from cryptography.fernet import Fernet
from pydantic import SecretStr

from voxbus_contracts import DEFAULT_ORG
from voxbus_control_api.access import new_key
from voxbus_control_api.assistant_store import AssistantStore, StoredAssistant
from voxbus_control_api.key_store import Key, KeyStore
from voxbus_control_api.secret_box import SecretBox, keys_from

_PLACEHOLDER: Final = "{demo_server_url}"


async def ensure_key(keys: KeyStore, given: SecretStr | None, path: Path, now_ms: int) -> bool:
    """The key that is set, else the one in the file, else a new one, written there. False: it was revoked."""
    secret = given.get_secret_value() if given else _read_or_make(path, new_key)
    await keys.add(secret, Key(str(uuid.uuid4()), DEFAULT_ORG, "private", now_ms, now_ms, name="first key"))
    return await keys.by_secret(secret, now_ms) is not None


def address_secret(cluster_key: SecretStr | None, path: Path) -> bytes:
    """From the cluster key, so that all replicas agree; without one, kept in a file."""
    if cluster_key:
        return hmac.new(cluster_key.get_secret_value().encode(), b"voxbus addresses", hashlib.sha256).digest()
    return _read_or_make(path, lambda: secrets.token_hex(32)).encode()


def secret_box(given: SecretStr | None, cluster_key: SecretStr | None, path: Path) -> SecretBox:
    """With the keys that are set, or one that is kept in a file. Raises BadSecretKey."""
    has_own = path.exists() or not (given or cluster_key)
    local = _read_or_make(path, lambda: Fernet.generate_key().decode()) if has_own else None
    return SecretBox(keys_from(given, cluster_key, local))


async def ensure_demo(
    assistants: AssistantStore, assistant_id: str, server_url: str, now_ms: int, *, make: bool
) -> None:
    """Makes the demo assistant; later only follows the demo server's address, and only while it is as it was made."""
    there = await assistants.get(DEFAULT_ORG, assistant_id)
    wanted = demo_assistant(server_url)
    if there is None:
        if make:
            await assistants.add(StoredAssistant(assistant_id, DEFAULT_ORG, now_ms, now_ms, wanted))
        return
    address = _server_url(there.body)
    if address not in (None, server_url) and there.body == demo_assistant(str(address)):
        await assistants.put(StoredAssistant(there.id, there.org, there.created_at_ms, now_ms, wanted))


def demo_assistant(server_url: str) -> dict[str, Any]:
    text = (files("voxbus_control_api") / "demo_assistant.json").read_text(encoding="utf-8")
    return json.loads(text.replace(_PLACEHOLDER, json.dumps(server_url)[1:-1]))


def _server_url(body: dict[str, Any]) -> str | None:
    try:
        return body["model"]["tools"][0]["server"]["url"]
    except (KeyError, IndexError, TypeError):
        return None


def _read_or_make(path: Path, make: Any) -> str:
    """A file only its owner can read, complete or not there at all."""
    if path.exists():
        return path.read_text(encoding="utf-8").strip()
    value: str = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{value}\n")
    partial.replace(path)
    return value
