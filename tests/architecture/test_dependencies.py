"""Who may depend on what: caps of the libs, declared imports, one place for subjects. Layers: see .importlinter."""

import ast
import configparser
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

CAPS = {
    "contracts": {"pydantic"},
    "proto": {"protobuf", "grpcio"},
    "audio": {"numpy", "soxr", "av"},
    "archive": {"voxbus-contracts", "zstandard"},
    "objects": {"voxbus-contracts", "obstore"},
    "providers": {"voxbus-contracts"},
    "database": {"sqlalchemy", "aiosqlite", "asyncpg", "alembic", "greenlet"},
    "runtime": {
        "voxbus-contracts",
        "voxbus-proto",
        "cryptography",
        "grpcio",
        "grpcio-health-checking",
        "grpcio-reflection",
        "httptools",
        "httpx",
        "jsonschema-rs",
        "nats-py",
        "opentelemetry-exporter-otlp-proto-grpc",
        "opentelemetry-sdk",
        "prometheus-client",
        "pydantic-settings",
        "sniffio",
        "structlog",
        "python-liquid",
        "uvloop",
        "websockets",
    },
    "bus": {
        "voxbus-archive",
        "voxbus-contracts",
        "voxbus-objects",
        "voxbus-runtime",
        "faststream",
        "nats-py",
        "structlog",
    },
    "cli": {
        "voxbus-contracts",
        "voxbus-archive",
        "voxbus-audio",
        "voxbus-objects",
        "voxbus-runtime",
        "cryptography",
        "httpx",
        "nats-py",
        "psutil",
        "setproctitle",
        "websockets",
        "grpcio-tools",
    },
}
"""What a lib may declare; whoever needs more says why in a review. `testing` is not capped: it is never installed."""

COMES_WITH = {
    "fastapi": {"starlette"},
    "opentelemetry-sdk": {"opentelemetry-api"},
    "pydantic": {"pydantic-core", "typing-extensions"},
}
"""Packages that are part of the interface of another one."""

SUBJECT = re.compile(r"\b(event|command|audio|claim|delivery|dead-letter|worker)\.v1\b")


def distribution(requirement: str) -> str:
    """`nats-py>=2.16` → `nats-py`; names are compared as PyPI does."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", requirement.strip(), maxsplit=1)[0]).lower()


def own_requirements(member: Any) -> set[str]:
    project = member.project
    optional = [each for group in project.get("optional-dependencies", {}).values() for each in group]
    return {distribution(each) for each in (*project.get("dependencies", ()), *optional)}


def declared(member: Any, checkout: Any) -> set[str]:
    """What a package may import: its own requirements, and those of the libs of the workspace it builds on."""
    members = {each.project["name"]: each for each in checkout.members}
    names: set[str] = set()
    waiting = own_requirements(member)
    while waiting:
        name = waiting.pop()
        names.add(name)
        if name in members:
            waiting |= own_requirements(members[name]) - names
    return names | {extra for name in names for extra in COMES_WITH.get(name, ())}


def imports(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


def test_no_lib_declares_more_than_its_cap(checkout: Any) -> None:
    beyond = {}
    for lib in checkout.libs:
        if lib.name != "testing":
            extra = {distribution(each) for each in lib.project.get("dependencies", ())} - CAPS[lib.name]
            beyond |= {lib.name: sorted(extra)} if extra else {}
    assert beyond == {}


def test_every_lib_names_its_cap_where_people_look(checkout: Any) -> None:
    offenders = []
    for lib in checkout.libs:
        readme = lib.folder / "README.md"
        if not readme.is_file() or "Dependency cap" not in readme.read_text():
            offenders.append(lib.name)
    assert not offenders, "\n".join(offenders)


def test_everything_imported_is_declared(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    """A package that works only because another one brought its dependency along breaks on the next upgrade."""
    offers = packages_distributions()
    offenders = set()
    for member in checkout.members:
        allowed = declared(member, checkout) | {f"voxbus-{member.name}"}
        for path in member.sources():
            for name in imports(trees[path]):
                top = name.split(".")[0]
                if top in sys.stdlib_module_names:
                    continue
                ours = {top.replace("_", "-")} if top.startswith("voxbus_") else set()
                if not (ours or {distribution(each) for each in offers.get(top, ())}) & allowed:
                    offenders.add(f"{member.name}: {top}")
    assert not offenders, "\n".join(sorted(offenders))


def test_nothing_declared_is_unused(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    offers = packages_distributions()
    idle = []
    for member in checkout.members:
        used = set()
        for path in member.sources():
            for name in imports(trees[path]):
                top = name.split(".")[0]
                used |= {top.replace("_", "-"), *(distribution(each) for each in offers.get(top, ()))}
        ours = {distribution(each) for each in member.project.get("dependencies", ()) if each.startswith("voxbus-")}
        idle += [f"{member.name}: {name}" for name in sorted(ours - used)]
    assert not idle, "\n".join(idle)


def test_the_layers_know_every_package(checkout: Any) -> None:
    config = configparser.ConfigParser()
    config.read(checkout.root / ".importlinter")
    modules = sorted(member.module for member in checkout.members)
    assert sorted(config["importlinter"]["root_packages"].split()) == modules
    layers = re.split(r"[\s|]+", config["importlinter:contract:layers"]["layers"].strip())
    assert sorted(layers) == modules


def test_only_the_contracts_spell_subjects(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    offenders = [
        f"{checkout.short(path)}:{node.lineno}"
        for member in checkout.members
        if member.name != "contracts"
        for path in member.sources()
        for node in ast.walk(trees[path])
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SUBJECT.search(node.value)
        if not is_docstring(node, trees[path])
    ]
    assert not offenders, "\n".join(offenders)


def is_docstring(node: ast.Constant, tree: ast.Module) -> bool:
    """Text may speak of subjects; code may not."""
    return any(isinstance(each, ast.Expr) and each.value is node for each in ast.walk(tree))


def test_only_tests_import_the_testing_library(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    offenders = [
        checkout.short(path)
        for member in checkout.members
        if member.name != "testing"
        for path in member.sources()
        if any(name.split(".")[0] == "voxbus_testing" for name in imports(trees[path]))
    ]
    assert not offenders, "\n".join(offenders)
