"""The OpenAPI document: the framework's, with our named schemas, every error that can be answered, and keys."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from voxbus_control_api.http.components import components
from voxbus_control_api.http.described import ref

Json = dict[str, Any]

_ERRORS: Final = {
    "400": "Bad Request",
    "401": "Unauthorized",
    "403": "Forbidden",
    "404": "Not Found",
    "409": "Conflict",
    "413": "Payload Too Large",
    "429": "Too Many Requests",
    "503": "Service Unavailable",
}
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})
_OPEN: Final = frozenset({"/health"})
_FRAMEWORKS_OWN: Final = ("HTTPValidationError", "ValidationError")


def add_openapi(app: FastAPI) -> None:
    """Makes the document once, when it is first asked for."""

    def document() -> Json:
        if app.openapi_schema is None:
            plain = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            app.openapi_schema = completed(plain)
        return app.openapi_schema

    app.openapi = document


def completed(document: Json) -> Json:
    """The framework's document made whole."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _FRAMEWORKS_OWN:
        schemas.pop(name, None)
    schemas |= components()
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    document["paths"] = {path: _hoisted(methods, schemas) for path, methods in document["paths"].items()}
    for path, operation in _operations(document):
        operation["responses"].pop("422", None)
        if path not in _OPEN:
            operation.setdefault("security", [{"key": []}])
            for status, title in _ERRORS.items():
                operation["responses"].setdefault(status, _error(title))
    return document


def _operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in _METHODS:
                yield path, operation


def _error(title: str) -> Json:
    return {"description": title, "content": {"application/json": {"schema": ref("Error")}}}


def _hoisted(tree: Any, schemas: Json) -> Any:
    """Definitions that a route brought along become named schemas; a name that means something else gets a number."""
    if isinstance(tree, list):
        return [_hoisted(each, schemas) for each in tree]
    if not isinstance(tree, dict):
        return tree
    names: dict[str, str] = {}
    for name, schema in tree.get("$defs", {}).items():
        names[name] = _free_name(name, schema, schemas)
        schemas.setdefault(names[name], schema)
    out = {name: _hoisted(value, schemas) for name, value in tree.items() if name != "$defs"}
    if not names:
        return out
    for name in names.values():
        schemas[name] = _pointed(schemas[name], names)
    return _pointed(out, names)


def _free_name(name: str, schema: Json, schemas: Json) -> str:
    candidate, number = name, 2
    while candidate in schemas and schemas[candidate] != schema:
        candidate, number = f"{name}{number}", number + 1
    return candidate


def _pointed(tree: Any, names: dict[str, str]) -> Any:
    """References to the definitions lead to their new names."""
    if isinstance(tree, list):
        return [_pointed(each, names) for each in tree]
    if not isinstance(tree, dict):
        return tree
    target = tree.get("$ref")
    if isinstance(target, str) and target.startswith("#/$defs/"):
        return {**tree, "$ref": f"#/components/schemas/{names[target.removeprefix('#/$defs/')]}"}
    return {name: _pointed(value, names) for name, value in tree.items()}
