"""A posted body checked and made ready to be stored as it came; a change laid over what is stored. Pure."""

from typing import Any, Final

from voxbus_control_api.errors import BadRequest
from voxbus_control_api.kind import Kind
from voxbus_control_api.overrides import assistant_as_read
from voxbus_control_api.problems import validated, validated_as
from voxbus_control_api.schemas.assistant import AssistantBody
from voxbus_control_api.secret_names import masks_in

Json = dict[str, Any]

_OLDER: Final = {"server.url ": "serverUrl ", "server.secret ": "serverUrlSecret "}


def new_body(kind: Kind, posted: Json) -> Json:
    """What is stored of a posted body. Raises BadRequest naming every offending field."""
    check(kind, posted)
    return {**_foreign(kind, posted), **kind.added}


def changed_body(kind: Kind, there: Json, patch: Json) -> Json:
    """Given fields replace those there are; null takes one away. Raises BadRequest."""
    given = _foreign(kind, patch)
    other = [name for name in kind.fixed if name in given and given[name] != there.get(name)]
    if other:
        raise BadRequest(*(f"{name} must not be changed" for name in other))
    merged = kind.laid_over(there, given)
    changed = {name: value for name, value in merged.items() if value is not None or name not in given}
    check(kind, {name: value for name, value in changed.items() if name not in kind.added})
    return changed


def check(kind: Kind, body: Json) -> None:
    """Raises BadRequest naming every offending field."""
    if kind.masks_secrets and (places := masks_in(body)):
        raise BadRequest(*(f"{place} must be the secret itself: asterisks are what answers show" for place in places))
    if kind.shape is AssistantBody:
        validate_assistant(body)
    else:
        validated_as(kind.shape, kind.as_read(body))


def validate_assistant(body: Json, prefix: str = "") -> AssistantBody:
    """An assistant as the services will read it; raises BadRequest naming every offending field as it was spelled."""
    given = assistant_as_read(body)
    try:
        return validated(AssistantBody, given, prefix)
    except BadRequest as wrong:
        if "server" in body or "serverUrl" not in body:
            raise
        raise BadRequest(*(_as_spelled(problem, prefix) for problem in wrong.problems)) from None


def _as_spelled(problem: str, prefix: str) -> str:
    start = f"{prefix}." if prefix else ""
    for new, older in _OLDER.items():
        if problem.startswith(start + new):
            return problem.replace(start + new, start + older, 1)
    return problem


def _foreign(kind: Kind, body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in kind.own_fields}
