"""The one HTTP request of an apiRequest tool, made of its schemas, its templates and what the model chose. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from voxbus_contracts.offering import default_values, static_values
from voxbus_tool_runner.answer import Answer, one_line
from voxbus_tool_runner.asking import Request
from voxbus_tool_runner.errors import BadAnswer
from voxbus_tool_runner.job import Run

_IN_QUERY: Final = frozenset({"GET", "DELETE", "HEAD"})
_FORM: Final = "application/x-www-form-urlencoded"
_LONGEST_EXCERPT: Final = 300
"""Characters of a server's words about an error that the model is told."""


def request_of(run: Run, headers_schema: Mapping[str, Any] | None) -> Request:
    """`headers_schema` = the tool's headers with their secrets open.

    What the model chose fills the address (percent-encoded), the headers that have a property of its name, else the
    body; without a body (GET, DELETE) the query, as far as the address does not use it. Then come fixed values, which
    win.
    """
    tool, chosen = run.tool, run.command.arguments
    named = {name.lower(): name for name in _properties(headers_schema)}
    for_headers = {name: value for name, value in chosen.items() if name.lower() in named}
    for_body = {**default_values(tool.body), **{n: v for n, v in chosen.items() if n not in for_headers}}
    fixed = run.filled(static_values(tool.body), chosen) | run.static
    headers = _headers(run, headers_schema, for_headers)
    url, used = _url(run, for_body)
    method = tool.method.upper()
    if method in _IN_QUERY:
        left = _merged({name: value for name, value in for_body.items() if name not in used}, fixed)
        return Request(_with_query(url, left), method, headers)
    body = _merged(for_body, fixed)
    if headers.get("content-type", "").startswith(_FORM):
        return Request(url, method, headers, urlencode(_flat(body)).encode())
    return Request(url, method, {"content-type": "application/json"} | headers, json.dumps(body).encode())


def read_api_answer(status: int, body: bytes) -> Answer:
    """Any 2xx is a result: JSON as it is, text as it is. Raises BadAnswer, with what the server says of it."""
    text = body.decode("utf-8", errors="replace").strip()
    if not 200 <= status < 300:
        said = f" It said: {one_line(text)[:_LONGEST_EXCERPT]}" if text else ""
        raise BadAnswer(f"The request failed with status {status}.{said}")
    try:
        value = json.loads(text) if text else None
    except ValueError:
        value = text
    return Answer(result=one_line(value) if text else f"Done (status {status}).", value=value)


def _url(run: Run, chosen: Mapping[str, Any]) -> tuple[str, set[str]]:
    """The address, and which of the model's values it uses."""
    template = run.tool.url or ""
    encoded = {name: quote(value, safe="") if isinstance(value, str) else value for name, value in chosen.items()}
    used = {name for name in chosen if name in template}
    return run.filled(template, encoded).strip(), used


def _headers(run: Run, schema: Mapping[str, Any] | None, chosen: Mapping[str, Any]) -> dict[str, str]:
    fixed = {**default_values(schema), **chosen, **static_values(schema)}
    if schema and not isinstance(schema.get("properties"), dict):
        fixed = {name: value for name, value in schema.items() if isinstance(value, str) and name != "type"}
    rendered = {name.lower(): str(run.filled(value, run.command.arguments)) for name, value in fixed.items()}
    clean = {name: " ".join(value.split()) for name, value in rendered.items()}
    return {"accept": "application/json"} | clean | run.headers


def _with_query(url: str, values: Mapping[str, Any]) -> str:
    if not values:
        return url
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(_flat(values))) if part)
    return urlunsplit(parts._replace(query=query))


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
        if value is not None
    }


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` wins, object by object."""
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value  # pyright: ignore[reportUnknownArgumentType]
    return merged


def _properties(schema: Mapping[str, Any] | None) -> Mapping[str, Any]:
    found = (schema or {}).get("properties")
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]
