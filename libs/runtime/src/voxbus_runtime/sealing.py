"""Secrets inside configurations: sealed with the cluster key before they reach the bus, opened where they are used."""

from collections.abc import Callable
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr

from voxbus_contracts import Command
from voxbus_contracts.commands import HandOffCall, TransferCall
from voxbus_contracts.config import CallConfig
from voxbus_contracts.monitor import MonitorAddresses
from voxbus_runtime.errors import BadSeal

_MARK: Final = "sealed:v1:"
_SECRET_FIELDS: Final = frozenset(
    {
        *("secret", "serverurlsecret", "clientsecret", "secretkey", "apikey", "authtoken", "token", "password"),
        *("apisecret", "refreshtoken", "privatekey", "awssecretaccesskey"),
    }
)
_SECRET_MAPS: Final = frozenset({"headers"})


def seal(value: str, cluster_key: SecretStr | None) -> str:
    """`sealed:v1:…`; a value that is sealed already stays as it is."""
    return value if value.startswith(_MARK) else _MARK + _fernet(cluster_key).encrypt(value.encode()).decode()


def open_seal(value: str, cluster_key: SecretStr | None) -> str:
    """The secret behind `sealed:v1:…`; an unsealed value stays as it is. Raises BadSeal."""
    if not value.startswith(_MARK):
        return value
    try:
        return _fernet(cluster_key).decrypt(value.removeprefix(_MARK).encode()).decode()
    except InvalidToken:
        raise BadSeal("a secret was sealed with another cluster key (VOXBUS_CLUSTER_KEY)") from None


def with_open_monitor(config: CallConfig, cluster_key: SecretStr | None) -> CallConfig:
    """For whoever tells an endpoint of the customer about the call: with the addresses of `monitor` readable."""
    if config.monitor is None or cluster_key is None:
        return config
    given = config.monitor.model_dump(exclude_none=True)
    opened = MonitorAddresses(**{name: open_seal(url, cluster_key) for name, url in given.items()})
    return config.model_copy(update={"monitor": opened})


def with_sealed_secrets(command: Command, cluster_key: SecretStr | None) -> Command:
    """What an order brings along (an assistant with keys of its own) as it may go on the bus. Raises BadSeal."""
    if not isinstance(command, TransferCall | HandOffCall):
        return command
    return command.model_copy(update={"destination": seal_config(command.destination, cluster_key)})


def seal_config(tree: Any, cluster_key: SecretStr | None) -> Any:
    """A copy with every secret sealed: fields called secret, apiKey, token, password …, and all header values."""

    def change(text: str) -> str:
        return seal(text, cluster_key)

    return _walk(tree, change)


def open_config(tree: Any, cluster_key: SecretStr | None) -> Any:
    """The copy with the secrets back. Raises BadSeal."""

    def change(text: str) -> str:
        return open_seal(text, cluster_key)

    return _walk(tree, change)


def _walk(tree: Any, change: Callable[[str], str], all_secret: bool = False) -> Any:
    if isinstance(tree, dict):
        return {
            key: _walk(value, change, all_secret or key.lower().replace("_", "") in _SECRET_FIELDS | _SECRET_MAPS)
            for key, value in tree.items()
        }
    if isinstance(tree, list | tuple):
        return [_walk(item, change, all_secret) for item in tree]
    return change(tree) if all_secret and isinstance(tree, str) and tree else tree


def _fernet(cluster_key: SecretStr | None) -> Fernet:
    if cluster_key is None:
        raise BadSeal("there is no cluster key: set VOXBUS_CLUSTER_KEY for every service (`voxbus up` makes one)")
    return Fernet(cluster_key.get_secret_value().encode())
