"""`voxbus reconcile` and `voxbus rebuild`: each service makes its own records, in a process of its own."""

import argparse
import importlib.util
import os
import subprocess
import sys
from typing import Final

from voxbus_cli.environment import read_settings
from voxbus_cli.errors import BadInput, CommandFailed
from voxbus_cli.stack.folder import cluster_key
from voxbus_cli.stack.plan import child_environment

_REBUILT_BY: Final = ("voxbus_control_api", "voxbus_billing")


def reconcile(arguments: argparse.Namespace) -> int:
    """Billing's own comparison; its exit status."""
    options = ["--since-ms", str(arguments.since)]
    options += ["--call", arguments.call] if arguments.call else []
    options += ["--correct"] if arguments.correct else []
    options += ["--json"] if arguments.json else []
    return _run("voxbus_billing", "reconcile", options)


def rebuild(arguments: argparse.Namespace) -> int:
    """Every service that keeps records; the worst exit status."""
    options = ["--call", arguments.call] if arguments.call else ["--all"]
    return max(_run(package, "rebuild", options) for package in _REBUILT_BY)


def _run(package: str, module: str, options: list[str]) -> int:
    if importlib.util.find_spec(package) is None:
        raise CommandFailed(f"{package} is not installed here: run this where the services are")
    command = [sys.executable, "-m", f"{package}.{module}", *options]
    return subprocess.run(command, env=_environment(), check=False).returncode  # noqa: S603 (our own services)


def _environment() -> dict[str, str]:
    """As the stack's processes have it; where the environment has a cluster key of its own, that one."""
    settings = read_settings(os.environ)
    if not settings.data_dir.is_dir() and "VOXBUS_DATABASE_URL" not in os.environ:
        raise BadInput(f"VOXBUS_DATA_DIR={settings.data_dir} is no folder: no stack has run there")
    own_key = os.environ.get("VOXBUS_CLUSTER_KEY")
    return child_environment(settings, os.environ, own_key or cluster_key(settings.data_dir))
