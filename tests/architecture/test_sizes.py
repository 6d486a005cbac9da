"""Nothing grows without end."""

import ast
from pathlib import Path
from typing import Any

FILE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 6
README_LINES = 150
MAKEFILE_LINES = 60
MAKEFILE_COLUMNS = 140


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """As its caller counts them."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len([argument for argument in named if argument.arg not in ("self", "cls")])


def test_no_file_is_longer_than_400_lines(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    sizes = {checkout.short(path): len(path.read_text().splitlines()) for path in trees}
    assert {path: lines for path, lines in sizes.items() if lines > FILE_LINES} == {}


def test_no_function_is_longer_than_60_lines(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    offenders = [
        f"{checkout.short(path)}:{function.lineno} {function.name}"
        for path, tree in trees.items()
        for function in functions(tree)
        if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES
    ]
    assert not offenders, "\n".join(offenders)


def test_no_function_takes_more_than_six_parameters(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    """Tests may: a fixture is a parameter there."""
    offenders = [
        f"{checkout.short(path)}:{function.lineno} {function.name}"
        for path, tree in trees.items()
        for function in functions(tree)
        if parameters(function) > PARAMETERS and "tests" not in path.parts
    ]
    assert not offenders, "\n".join(offenders)


def test_no_readme_is_longer_than_150_lines(checkout: Any) -> None:
    sizes = {checkout.short(path): len(path.read_text().splitlines()) for path in checkout.files("README.md")}
    assert {path: lines for path, lines in sizes.items() if lines > README_LINES} == {}


def test_the_makefile_is_short_and_says_what_its_targets_do(checkout: Any) -> None:
    lines = (checkout.root / "Makefile").read_text().splitlines()
    assert len(lines) <= MAKEFILE_LINES
    assert [line for line in lines if len(line) > MAKEFILE_COLUMNS] == []
    phony = next(line for line in lines if line.startswith(".PHONY")).split()[1:]
    assert [name for name in phony if not any(line.startswith(f"{name}:") and "## " in line for line in lines)] == []


def test_names_say_what_things_are(checkout: Any, trees: dict[Path, ast.Module]) -> None:
    empty = ("Manager", "Helper", "Processor", "Util", "Utils")
    offenders = [
        f"{checkout.short(path)}: {node.name}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith(empty)
    ]
    offenders += [checkout.short(path) for path in trees if path.stem in ("utils", "common", "helpers", "misc")]
    assert not offenders, "\n".join(offenders)
