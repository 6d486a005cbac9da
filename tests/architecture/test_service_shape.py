"""Every service has the same rooms, the same reading order and settings nobody else has."""

import ast
import importlib
import re
from pathlib import Path
from typing import Any

from voxbus_contracts.identity import SERVICES

ROOMS = ("__init__.py", "__main__.py", "settings.py", "wiring.py", "handlers.py", "errors.py", "metrics.py")
MAIN_LINES = 15
LIMIT = re.compile(r"\b(never|not|no|nothing|only)\b", re.I)


def test_the_services_of_the_contracts_are_the_folders_of_the_tree(checkout: Any) -> None:
    assert [service.name for service in checkout.services] == sorted(SERVICES)


def test_every_service_has_every_room(checkout: Any) -> None:
    missing = [
        f"{service.name}: {room}"
        for service in checkout.services
        for room in ROOMS
        if not (service.source / room).is_file()
    ]
    assert not missing, "\n".join(missing)


def test_every_service_says_first_what_it_turns_into_what_and_what_it_must_never_do(checkout: Any) -> None:
    offenders = []
    for service in checkout.services:
        said = ast.get_docstring(ast.parse((service.source / "__init__.py").read_text())) or ""
        if not said.startswith("Turns ") or " into " not in said or not LIMIT.search(said):
            offenders.append(f"{service.name}: {said!r}")
    assert not offenders, "\n".join(offenders)


def test_starting_a_service_takes_no_more_than_its_name(checkout: Any) -> None:
    offenders = []
    for service in checkout.services:
        text = (service.source / "__main__.py").read_text()
        if len(text.splitlines()) > MAIN_LINES or f'"{service.name}"' not in text:
            offenders.append(service.name)
    assert not offenders, "\n".join(offenders)


def test_one_name_is_folder_package_and_distribution(checkout: Any) -> None:
    offenders = [
        member.name
        for member in checkout.members
        if member.project["name"] != f"voxbus-{member.name}" or not (member.source / "__init__.py").is_file()
    ]
    assert not offenders, "\n".join(offenders)


def test_only_wiring_handlers_and_providers_know_the_bus_library(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    """FastStream stays in handlers.py; a service speaks to the broker through the libs."""
    offenders = [
        checkout.short(path)
        for service in checkout.services
        for path in service.sources()
        if path.name not in ("handlers.py", "wiring.py") and "faststream" in imported(trees[path])
    ]
    assert not offenders, "\n".join(offenders)


def test_every_error_says_its_code_and_whether_to_try_again(checkout: Any) -> None:
    offenders = []
    for member in checkout.members:
        if not (member.source / "errors.py").is_file():
            continue
        module = importlib.import_module(f"{member.module}.errors")
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == module.__name__:
                has_code = isinstance(getattr(value, "code", None), str)
                if not has_code or not isinstance(getattr(value, "retryable", None), bool):
                    offenders.append(f"{member.name}: {name}")
    assert not offenders, "\n".join(offenders)


def test_every_setting_has_a_docstring_and_belongs_to_one_service(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    owners: dict[str, str] = {}
    offenders = []
    for service in checkout.services:
        for name, has_docstring in settings_of(trees[service.source / "settings.py"]):
            if not has_docstring:
                offenders.append(f"{service.name}: {name} has no docstring under it")
            if owners.setdefault(name, service.name) != service.name:
                offenders.append(f"{name} is a setting of {owners[name]} and of {service.name}")
    assert not offenders, "\n".join(offenders)


def imported(tree: ast.Module) -> set[str]:
    """Top-level names of what a file imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def settings_of(tree: ast.Module) -> list[tuple[str, bool]]:
    """Fields of the ServiceSettings class of a settings.py, and whether text follows each."""
    found = []
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        if not any(isinstance(base, ast.Name) and base.id == "ServiceSettings" for base in node.bases):
            continue
        for field, after in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                found.append((field.target.id, said))
    return found
