"""A call as it was asked for, carried sealed in its configuration.

The archive keeps it, so that the call's record can be made again when there is no database any more.
"""

import json
from typing import Any, Final

from pydantic import SecretStr

from voxbus_contracts.config import CallConfig
from voxbus_control_api.call_store import NewCall
from voxbus_control_api.database import to_text
from voxbus_runtime.sealing import open_seal, seal

Json = dict[str, Any]

FOUND_BY: Final = ("squad_id", "phone_number_id", "customer_number")


def with_asked(config: CallConfig, call: NewCall, cluster_key: SecretStr | None) -> CallConfig:
    """The configuration with the sealed request in it; without a cluster key nothing can be sealed, so nothing is."""
    if cluster_key is None:
        return config
    asked = {name: value for name in FOUND_BY if (value := getattr(call, name)) is not None}
    asked |= {"body": call.facts.body, "created_at_ms": call.facts.created_at_ms}
    return config.model_copy(update={"asked": seal(to_text(asked), cluster_key)})


def asked_of(config: CallConfig, cluster_key: SecretStr | None) -> Json:
    """`body`, `created_at_ms` and what the call was found by; empty where there is none. Raises BadSeal."""
    return json.loads(open_seal(config.asked, cluster_key)) if config.asked else {}
