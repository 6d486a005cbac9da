"""Ready-made tools for systems people name first: data files, filled in with what is the customer's own. Pure."""

import json
import re
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from voxbus_control_api.errors import BadRequest, NotFound

Json = dict[str, Any]

_PLACE: Final = re.compile(r"\$\{(\w+)\}")
_CREDENTIAL: Final = "credentialId"


@lru_cache(maxsize=1)
def templates() -> dict[str, Json]:
    """By id: `{id, name, description, sources, credential, variables, tools}`; `${name}` marks a variable's place."""
    folder = files("voxbus_control_api") / "tool_templates"
    found = [json.loads(each.read_text(encoding="utf-8")) for each in folder.iterdir() if each.name.endswith(".json")]
    return {each["id"]: each for each in sorted(found, key=lambda each: each["id"])}


def template(template_id: str) -> Json:
    """Raises NotFound."""
    found = templates().get(template_id)
    if found is None:
        raise NotFound(f"there is no tool template {template_id[:64]}; there are {', '.join(templates())}")
    return found


def filled_in(of: Json, credential_id: str, variables: Json) -> list[Json]:
    """Bodies of the template's tools. Raises BadRequest naming every variable that is missing, unknown or no text."""
    named = {each["name"]: each.get("default") for each in of["variables"]}
    problems = [f"variables.{name} should not exist" for name in variables if name not in named]
    values = {**named, **{name: value for name, value in variables.items() if name in named}}
    descriptions = {each["name"]: each["description"] for each in of["variables"]}
    for name, value in values.items():
        if not isinstance(value, str) or not value.strip():
            problems.append(f"variables.{name} must be a string that is not empty: {descriptions[name]}")
    if problems:
        raise BadRequest(*problems)
    values[_CREDENTIAL] = credential_id
    return [_filled(tool, values) for tool in of["tools"]]


def _filled(tree: Any, values: Json) -> Any:
    if isinstance(tree, dict):
        return {name: _filled(value, values) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_filled(value, values) for value in tree]
    if isinstance(tree, str):
        return _PLACE.sub(lambda place: str(values[place[1]]).rstrip("/") if place[1] in values else place[0], tree)
    return tree
