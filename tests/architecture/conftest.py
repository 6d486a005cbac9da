"""The checkout as the architecture tests see it: packages, files, syntax trees."""

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

_GENERATED = ("_pb2.py", "_pb2_grpc.py")
_NOT_OURS = {".venv", ".git", ".voxbus", "build", "dist", "out", "__pycache__", "node_modules"}


@dataclass(frozen=True)
class Member:
    """One package of the workspace: a lib or a service."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def module(self) -> str:
        return f"voxbus_{self.name.replace('-', '_')}"

    @property
    def source(self) -> Path:
        return self.folder / "src" / self.module

    @cached_property
    def project(self) -> dict[str, Any]:
        return tomllib.loads((self.folder / "pyproject.toml").read_text())["project"]

    def sources(self) -> Iterator[Path]:
        """Python files somebody wrote; generated stubs are not among them."""
        for path in sorted(self.source.rglob("*.py")):
            if not path.name.endswith(_GENERATED):
                yield path


@dataclass(frozen=True)
class Checkout:
    """The whole tree."""

    root: Path

    def _members(self, folder: str) -> list[Member]:
        return [Member(path.parent) for path in sorted((self.root / folder).glob("*/pyproject.toml"))]

    @cached_property
    def libs(self) -> list[Member]:
        return self._members("libs")

    @cached_property
    def services(self) -> list[Member]:
        return self._members("services")

    @property
    def members(self) -> list[Member]:
        return [*self.libs, *self.services]

    def files(self, *endings: str) -> Iterator[Path]:
        """Files of the project with one of these endings; none of a virtual environment, cache or build."""
        for path in sorted(self.root.rglob("*")):
            parts = path.relative_to(self.root).parts
            if path.is_file() and path.name.endswith(endings) and not _NOT_OURS & set(parts):
                yield path

    def python_files(self) -> Iterator[Path]:
        for path in self.files(".py"):
            if not path.name.endswith(_GENERATED):
                yield path

    def short(self, path: Path) -> str:
        return str(path.relative_to(self.root))


@pytest.fixture(scope="session")
def checkout() -> Checkout:
    return Checkout(Path(__file__).parents[2])


@pytest.fixture(scope="session")
def trees(checkout: Checkout) -> dict[Path, ast.Module]:
    """Every Python file somebody wrote, parsed."""
    return {path: ast.parse(path.read_text(), str(path)) for path in checkout.python_files()}
