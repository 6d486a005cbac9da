"""Two organisations on one stack, and what the second one owns: an object of every kind that a route can name."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import httpx
import structlog
from fastapi.routing import APIRoute
from starlette.routing import Mount, WebSocketRoute

from voxbus_control_api.http.app import create_app

Json = dict[str, Any]
MARK = "only-for-globex-7b1e"
"""Stands in everything the owner has: an answer that contains it shows what is not the asker's."""

_WEBSOCKET = {"provider": "vapi.websocket"}
_SCRIPT = {"provider": "vapi", "model": "scripted", "script": {"rules": [{"when": "hello", "say": MARK}]}}
OWNED: dict[str, Json] = {
    "assistant": {"path": "/assistant", "body": {"name": MARK, "firstMessage": MARK, "model": _SCRIPT}},
    "tool": {"path": "/tool", "body": {"type": "function", "function": {"name": "find", "description": MARK}}},
    "credential": {"path": "/credential", "body": {"provider": "openai", "apiKey": "not-a-real-key", "name": MARK}},
    "trunk": {
        "path": "/credential",
        "body": {"provider": "byo-sip-trunk", "name": MARK, "gateways": [{"ip": "192.0.2.9"}]},
    },
    "squad": {"path": "/squad", "body": {"name": MARK, "members": [{"assistantId": "$assistant"}]}},
    "phone-number": {
        "path": "/phone-number",
        "body": {"provider": "byo-phone-number", "number": "+14155550177", "name": MARK, "credentialId": "$trunk"},
    },
    "structured-output": {
        "path": "/structured-output",
        "body": {"name": "o", "description": MARK, "schema": {"type": "object", "properties": {}}},
    },
    "file": {"path": "/file", "upload": {"name": f"{MARK}.txt", "text": MARK, "type": "text/plain"}},
    "knowledge-base": {"path": "/v2/knowledge-base", "body": {"name": MARK}},
    "older-knowledge-base": {
        "path": "/knowledge-base",
        "body": {"provider": "custom-knowledge-base", "server": {"url": f"https://kb.example/{MARK}"}},
    },
    "session": {"path": "/session", "body": {"name": MARK, "assistantId": "$assistant"}},
    "chat": {"path": "/chat", "body": {"name": MARK, "assistantId": "$assistant", "input": "hello"}},
    "call": {"path": "/call", "body": {"name": MARK, "assistantId": "$assistant", "transport": _WEBSOCKET}},
    "token": {"path": "/token", "body": {"name": MARK}},
}
OPENED_BY_ADDRESS = frozenset({"/call/{call_id}/listen"})
"""WebSockets, by the address that a call's answers have: `test_addresses_apart.py`."""
_BY_PREFIX = {made["path"]: kind for kind, made in OWNED.items() if kind != "trunk"} | {
    "/assistants": "assistant",
    "/org": "org",
    "/delivery": "call",
}


_OF_EVERYBODY = {"{template_id}": "orders-database"}
"""Parameters that name what comes with the platform: nobody's, so one stands for all."""


@dataclass(frozen=True)
class Operation:
    """One method of one route; `kinds` = what its path's parameters are ids of, in order."""

    method: str
    path: str
    kinds: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def operations() -> list[Operation]:
    """Every route the application has, also those left out of its document."""
    app = create_app(cast(Any, None), structlog.get_logger())
    found = [
        Operation(method, route.path, _kinds(route.path))
        for route in _routes(app.routes)
        for method in sorted(route.methods - {"HEAD", "OPTIONS"})
    ]
    described = {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}
    assert described <= {(each.method, each.path) for each in found}, "the walk over the routers misses some"
    return [replace(each, path=_with_names(each.path)) for each in found]


def _with_names(path: str) -> str:
    return "/".join(_OF_EVERYBODY.get(word, word) for word in path.split("/"))


def _routes(routes: Iterable[Any]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif included := getattr(route, "original_router", None):
            yield from _routes(included.routes)
        else:
            is_known = isinstance(route, WebSocketRoute) and route.path in OPENED_BY_ADDRESS
            assert is_known or not isinstance(route, WebSocketRoute | Mount), f"no test of tenants asks: {route}"


def _kinds(path: str) -> tuple[str, ...]:
    """`/v2/knowledge-base/{id}/file/{file_id}` → knowledge-base, file; "?" where nothing is known of the parameter."""
    words, found = _with_names(path).split("/")[1:], []
    for at, word in enumerate(words):
        if word.startswith("{"):
            whole = "/" + "/".join(words[:at])
            found.append(_BY_PREFIX.get(whole) or _BY_PREFIX.get(f"/{words[at - 1]}", "?"))
    return tuple(found)


@dataclass
class Tenant:
    """One organisation, in whose objects its `mark` stands; they are made when their ids are first asked for."""

    org: str
    key: str
    http: httpx.Client
    mark: str
    ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    def new(cls, operator: httpx.Client, name: str, mark: str) -> "Tenant":
        org = _created(operator.post("/org", json={"name": name}))["id"]
        key = _created(operator.post("/token", json={"orgId": org, "name": name}))["value"]
        headers = {"Authorization": f"Bearer {key}"}
        http = httpx.Client(base_url=operator.base_url, headers=headers, timeout=20)
        return cls(org, key, http, mark, {"org": org})

    def own(self, kind: str) -> str:
        """The id of its object of this kind."""
        if kind not in self.ids:
            made = OWNED[kind]
            if upload := made.get("upload"):
                text = upload["text"].replace(MARK, self.mark)
                files = {"file": (upload["name"].replace(MARK, self.mark), text.encode(), upload["type"])}
                answer = self.http.post(made["path"], files=files)
            else:
                answer = self.http.post(made["path"], json=self.filled(made["body"]))
            self.ids[kind] = _created(answer)["id"]
        return self.ids[kind]

    def filled(self, value: Any) -> Any:
        """`$kind` becomes the id of its object of that kind, MARK its own mark."""
        if isinstance(value, dict):
            return {name: self.filled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if not isinstance(value, str):
            return value
        return self.own(value[1:]) if value.startswith("$") else value.replace(MARK, self.mark)

    def path_of(self, operation: Operation) -> str:
        """The route's path with the ids of its own objects."""
        kinds = iter(operation.kinds)
        words = [self.own(next(kinds)) if word.startswith("{") else word for word in operation.path.split("/")]
        return "/".join(words)

    def everything(self, listed: Iterator[str]) -> dict[str, Any]:
        """What its own lists show, by path; what changes by itself is left out."""
        answers = {path: self.http.get(path) for path in listed}
        return {path: _lasting(each.json()) for path, each in answers.items() if "json" in each.headers["content-type"]}


_PASSING = (
    *("updatedAt", "status", "endedReason", "endedAt", "startedAt", "endedMessage", "costs", "cost", "costBreakdown"),
    *("artifact", "messages", "monitor", "transport", "analysis", "recordingUrl", "stereoRecordingUrl", "url"),
)


def _lasting(shown: Any) -> Any:
    """Without what goes on by itself: calls end, records are completed, addresses expire."""
    found = shown["results"] if isinstance(shown, dict) and "results" in shown else shown
    if not isinstance(found, list):
        return found
    kept = [{name: value for name, value in each.items() if name not in _PASSING} for each in found]
    return sorted(json.dumps(each, sort_keys=True) for each in kept)


def _created(answer: httpx.Response) -> Json:
    assert answer.status_code in (200, 201), f"{answer.request.url}: {answer.status_code} {answer.text[:300]}"
    return answer.json()
