"""The files that the tools of a call look things up in. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]


def tool_file_ids(bodies: Iterable[Any]) -> list[str]:
    """Ids that stand in `knowledgeBases` anywhere in these assistants, overrides or tools, each once."""
    found: dict[str, None] = {}
    for body in bodies:
        _collect(body, found)
    return list(found)


def tool_files(assistant: Mapping[str, Any], files: Mapping[str, Json]) -> dict[str, Json]:
    """Name, key and type of each file that the assistant's tools name and that is there."""
    return {
        each: {"name": files[each]["name"], "key": files[each]["key"], "mimetype": files[each].get("mimetype", "")}
        for each in tool_file_ids([assistant])
        if each in files
    }


def _collect(tree: Any, found: dict[str, None]) -> None:
    if isinstance(tree, dict):
        for name, value in tree.items():
            for base in value if name == "knowledgeBases" and isinstance(value, list) else ():
                ids = base.get("fileIds") if isinstance(base, dict) else None
                found.update({each: None for each in ids if isinstance(each, str)} if isinstance(ids, list) else {})
            _collect(value, found)
    elif isinstance(tree, list):
        for value in tree:
            _collect(value, found)
