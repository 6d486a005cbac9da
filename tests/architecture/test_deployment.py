"""Containers, locks and CI agree with the tree."""

import ast
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from voxbus_contracts.identity import SERVICES
from voxbus_runtime.settings import ServiceSettings

BESIDES = {"nats", "bootstrap", "demo-server"}
VARIABLE = re.compile(r"\bVOXBUS_[A-Z_]+\b")


@pytest.fixture(scope="module")
def compose(checkout: Any) -> dict[str, Any]:
    return yaml.safe_load((checkout.root / "docker-compose.yml").read_text())


def test_compose_runs_every_service_and_nothing_else(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == set(SERVICES) | BESIDES


def test_compose_builds_each_service_as_itself_from_the_one_dockerfile(compose: dict[str, Any], checkout: Any) -> None:
    for name in SERVICES:
        service = compose["services"][name]
        assert service["build"]["args"]["SERVICE"] == name
        assert service["image"] == f"voxbus/{name}"
        assert service["depends_on"]["bootstrap"]["condition"] == "service_completed_successfully"
    dockerfile = (checkout.root / "Dockerfile").read_text()
    assert "ARG SERVICE" in dockerfile
    assert "services/${SERVICE}" in dockerfile
    named = set(re.findall(r"([a-z-]+)\) extra=", dockerfile))
    assert named
    assert named <= set(SERVICES)


def test_the_image_runs_as_nobody_in_particular(checkout: Any) -> None:
    lines = (checkout.root / "Dockerfile").read_text().splitlines()
    last_user = [line for line in lines if line.startswith("USER ")][-1]
    assert last_user not in ("USER root", "USER 0")
    assert any("--require-hashes -r requirements/base.lock" in line for line in lines)


def test_every_variable_of_the_containers_is_a_setting(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    known = {f"VOXBUS_{name.upper()}" for name in ServiceSettings.model_fields}
    for service in checkout.services:
        known |= {f"VOXBUS_{name.upper()}" for name in fields(trees[service.source / "settings.py"])}
    known |= {"VOXBUS_DEMO_HOST", "VOXBUS_DEMO_PORT"}
    # Of the person who starts the stack, as for `make up`.
    known |= {"VOXBUS_PORT", "VOXBUS_NATS_PORT"}
    text = "".join((checkout.root / name).read_text() for name in ("docker-compose.yml", "Dockerfile"))
    assert set(VARIABLE.findall(text)) - known == set()


def fields(tree: ast.Module) -> list[str]:
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return [
        field.target.id
        for node in classes
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    ]


def test_locks_pin_every_package_by_hash_and_carry_no_address(checkout: Any) -> None:
    locks = sorted((checkout.root / "requirements").glob("*.lock"))
    assert [lock.stem for lock in locks] == sorted(p.stem for p in (checkout.root / "requirements").glob("*.in"))
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text, f"{lock.name} carries an address"
        blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.M)
        pinned = [block for block in blocks if re.match(r"[a-z0-9]", block)]
        assert pinned
        assert all(re.match(r"\S+==\S+", block) and "--hash=sha256:" in block for block in pinned), lock.name


def test_a_package_has_the_same_version_in_every_lock_of_an_environment(checkout: Any) -> None:
    versions: dict[str, set[str]] = {}
    shared = [lock for lock in (checkout.root / "requirements").glob("*.lock") if not lock.stem.startswith("sdk-")]
    for lock in shared:  # the official clients have environments of their own
        for name, rest in re.findall(r"^([a-z0-9._-]+)==([^\\\n]+)", lock.read_text(), re.M):
            versions.setdefault(name, set()).add(f"{lock.name} {rest.strip()}")
    both = {
        name: found
        for name, found in versions.items()
        if len({each.split(" ", 1)[1] for each in found}) > len(markers(found))
    }
    assert both == {}


def markers(found: set[str]) -> set[str]:
    """Pins of one package differ by the Python they are for; each such pin is one version."""
    return {each.partition(";")[2].strip() for each in found}


def test_ci_and_the_containers_start_what_exists(checkout: Any) -> None:
    assert os.access(checkout.root / ".ci" / "run", os.X_OK)
    makefiles = "".join((checkout.root / name).read_text() for name in ("Makefile", "tests/suites.mk"))
    for target in re.findall(r"make ([a-z]+)", (checkout.root / ".ci" / "run").read_text()):
        assert f"\n{target}:" in makefiles
