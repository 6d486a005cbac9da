"""How a subcommand is declared: its options here and now, the code that does it only when it is asked for."""

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    # argparse has no public name for what add_subparsers gives.
    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # pyright: ignore[reportPrivateUsage]
else:
    Commands = object

Run = Callable[[argparse.Namespace], int]


def load(target: str) -> Run:
    """`"package.module:function"` → the function that does a subcommand and gives its exit status."""
    module, _, function = target.partition(":")
    return getattr(import_module(module), function)
