"""The table of resources in resources.json, and the objects its rows refer to."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx

Json = dict[str, Any]
_VERBS = {"create": "create", "list": "find_all", "get": "find_one", "update": "update", "delete": "remove"}


@lru_cache
def table() -> Json:
    return json.loads((Path(__file__).parent / "resources.json").read_text())


def method_of(resource: str, verb: str) -> str:
    """What the official clients call it: the older resources have short names."""
    controller = table()["controllers"].get(resource)
    return f"{controller}_{_VERBS[verb]}" if controller else verb


def rows() -> list[Json]:
    return table()["rows"]


class Referenced:
    """Objects made on first need by plain requests; `$name` in a body stands for the id of one."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._ids: dict[str, str] = {}
        self._made = {each["as"]: each for each in table()["referenced"]}

    def filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self.filled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        return self._id(value) if isinstance(value, str) and value in self._made else value

    def _id(self, name: str) -> str:
        if name not in self._ids:
            self._ids[name] = self._make(self._made[name])
        return self._ids[name]

    def _make(self, one: Json) -> str:
        if upload := one.get("upload"):
            file = (upload["name"], upload["text"].encode(), upload["type"])
            answer = self._client.post(one["path"], files={"file": file})
        else:
            answer = self._client.post(one["path"], json=self.filled(one["body"]))
        assert answer.status_code == 201, f"POST {one['path']}: {answer.status_code} {answer.text[:300]}"
        return answer.json()["id"]
