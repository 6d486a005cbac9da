"""The tenant's way in at a model's server, and what that server is told of the call."""

from typing import Any, Final

from pydantic import SecretStr

from voxbus_contracts.assistant import Assistant, Model
from voxbus_contracts.config import CallConfig
from voxbus_contracts.told.shapes import told_call
from voxbus_providers.errors import ProviderRejected
from voxbus_providers.model import NO_ACCESS, ModelAccess
from voxbus_runtime.errors import BadSeal
from voxbus_runtime.owned_call import OwnedCall
from voxbus_runtime.sealing import open_seal, with_open_monitor

_CUSTOM: Final = "custom-llm"


class Access:
    """Of one call's models, found once for as long as nothing about it changes: opening what is sealed takes a while,
    in which the caller waits."""

    def __init__(self, call: OwnedCall) -> None:
        self._call = call
        self._of: tuple[CallConfig, Assistant, Model] | None = None
        self._known = NO_ACCESS

    def of(self, config: CallConfig, assistant: Assistant, model: Model) -> ModelAccess:
        """As `model_access`."""
        of = self._of
        if of is None or not (of[0] is config and of[1] is assistant and of[2] is model):
            self._known = model_access(self._call, config, assistant, model)
            self._of = (config, assistant, model)
        return self._known


def model_access(call: OwnedCall, config: CallConfig, assistant: Assistant, model: Model) -> ModelAccess:
    """For a call of ours; `config` while that assistant has it. Raises ProviderRejected for a key nobody can open."""
    if model.provider != _CUSTOM and not config.credentials:
        return NO_ACCESS
    return access_of(config, assistant, call.bus.cluster_key, model)


def access_of(
    config: CallConfig, assistant: Assistant, cluster_key: SecretStr | None, model: Model | None = None
) -> ModelAccess:
    """Of the assistant's model, or the one that stands in for it. Raises ProviderRejected for a key nobody can open."""
    model = model or assistant.model
    lent = config.credential_of(model.provider, (model.model_extra or {}).get("credentialId"))
    try:
        return ModelAccess(
            api_key=open_seal(lent.api_key, cluster_key) if lent else "",
            authentication=lent.authentication if lent else None,
            about=_about(config, assistant, cluster_key) if model.provider == _CUSTOM else {},
        )
    except BadSeal as wrong:
        raise ProviderRejected(model.provider, str(wrong)) from None


def _about(config: CallConfig, assistant: Assistant, cluster_key: SecretStr | None) -> dict[str, Any]:
    customer, number = config.variables.get("customer"), config.variables.get("phoneNumber")
    call = told_call(with_open_monitor(config, cluster_key), "in-progress")
    if customer:
        call["customer"] = customer
    about = {"call": call, "customer": customer, "phoneNumber": number, "metadata": assistant.metadata}
    return {name: value for name, value in about.items() if value}
