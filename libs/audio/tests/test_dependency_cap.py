import ast
import sys
import tomllib
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
ALLOWED = {"numpy", "av", "soxr"}


def imported_roots(source: Path) -> set[str]:
    roots: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add((node.module or "").split(".")[0])
    return roots


def test_only_the_capped_dependencies_are_declared() -> None:
    declared = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {line.split(">")[0].strip() for line in declared} == ALLOWED


def test_only_the_capped_dependencies_are_imported() -> None:
    sources = sorted((PACKAGE / "src").rglob("*.py"))
    imported = set[str]().union(*(imported_roots(source) for source in sources))
    assert imported - sys.stdlib_module_names - {"voxbus_audio"} == ALLOWED
