"""What of a posted body is missing or changed in the one that came back."""

import copy
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]


def lost(posted: Any, returned: Any, path: str = "") -> list[str]:
    """One line per difference, by path. Returned objects may have more fields; lists may not have more items."""
    if isinstance(posted, dict) and isinstance(returned, dict):
        return [line for name, value in posted.items() for line in _field(name, value, returned, path)]
    if isinstance(posted, list) and isinstance(returned, list):
        if len(posted) != len(returned):
            return [f"{path}: {len(posted)} items posted, {len(returned)} returned"]
        pairs = zip(posted, returned, strict=True)
        return [line for at, (one, other) in enumerate(pairs) for line in lost(one, other, f"{path}[{at}]")]
    same = posted == returned and isinstance(posted, bool) == isinstance(returned, bool)
    return [] if same else [f"{path}: {posted!r} posted, {returned!r} returned"]


def _field(name: str, value: Any, returned: Json, path: str) -> list[str]:
    inner = f"{path}.{name}".lstrip(".")
    return lost(value, returned[name], inner) if name in returned else [f"{inner}: missing"]


def without(posted: Json, hidden: Iterable[str]) -> Json:
    """A copy that lacks the fields at these paths, as in `authentication.password`."""
    left = copy.deepcopy(posted)
    for *above, name in (path.split(".") for path in hidden):
        del _below(left, above)[name]
    return left


def shown(posted: Json, returned: Json, hidden: Iterable[str]) -> list[str]:
    """The paths at which what was to be hidden came back."""
    pairs = [(path, path.split(".")) for path in hidden]
    return [path for path, steps in pairs if _below(posted, steps) == _below(returned, steps)]


def _below(tree: Any, steps: Iterable[str]) -> Any:
    for step in steps:
        tree = tree[step]
    return tree
