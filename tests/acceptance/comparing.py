"""What of a posted body is missing or changed in the one that came back."""

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
