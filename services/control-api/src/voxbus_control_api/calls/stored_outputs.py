"""Structured outputs that an assistant only names by their ids are read out of its calls. Pure."""

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

from voxbus_control_api.errors import BadRequest
from voxbus_control_api.overrides import Json

STRUCTURED_OUTPUT: Final = "structured-output"
_READ: Final = ("type", "name", "schema", "description", "regex", "model")


def output_ids(assistants: Iterable[Json]) -> list[str]:
    """All ids that any of these assistants or overrides names, each once."""
    return list(dict.fromkeys(each for assistant in assistants for each in _named(_plan(assistant))))


def with_stored_outputs(assistant: Json, outputs: Mapping[str, Json], field: str) -> Json:
    """The assistant with the structured outputs it names behind those it brings, which get ids of their own.

    Raises BadRequest naming every id below `field` that is no structured output's.
    """
    plan = _plan(assistant)
    named, given = _named(plan), plan.get("structuredOutputs") or []
    unknown = [at for at, each in enumerate(named) if each not in outputs]
    if unknown:
        place = f"{field}.artifactPlan.structuredOutputIds"
        raise BadRequest(*(f"{place}.{at} must be the id of a structured output" for at in unknown))
    if not named and not given:
        return assistant
    stored = [output_of(each, outputs[each]) for each in dict.fromkeys(named)]
    own = [{**each, "id": each.get("id") or _id_of(each)} for each in given if isinstance(each, dict)]
    return {**assistant, "artifactPlan": {**plan, "structuredOutputs": [*own, *stored]}}


def output_of(output_id: str, body: Json) -> Json:
    """What a call needs of a stored one."""
    return {"id": output_id, **{name: body[name] for name in _READ if body.get(name) is not None}}


def _id_of(output: Json) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(output, sort_keys=True)))


def _plan(assistant: Json) -> Json:
    plan: Any = assistant.get("artifactPlan")
    return plan if isinstance(plan, dict) else {}


def _named(plan: Json) -> list[str]:
    ids = plan.get("structuredOutputIds")
    return [each for each in ids if isinstance(each, str)] if isinstance(ids, list) else []
