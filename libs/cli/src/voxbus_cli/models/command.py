"""`voxbus models list` and `voxbus models pull`."""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Final

from voxbus_cli.environment import read_settings
from voxbus_cli.errors import BadInput, CommandFailed
from voxbus_cli.models.fetch import Progress, fetched
from voxbus_cli.models.known import KNOWN, KnownModel
from voxbus_cli.models.unpack import unpacked

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MIB: Final = 1_048_576


def list_models(arguments: argparse.Namespace) -> int:
    """Prints what can be pulled and what is here."""
    folder = models_folder()
    for model in KNOWN:
        where = str(folder / model.name) if (folder / model.name).is_dir() else "not here"
        print(f"{model.name:<52} {model.bytes / _MIB:4.0f} MiB  {model.engine:<7} {model.about}; {where}")
    known = {model.name for model in KNOWN}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and path.name not in known and not path.name.startswith("."):
            print(f"{path.name:<52} {path}")
    return 0


def pull_model(arguments: argparse.Namespace) -> int:
    """Fetches, checks and unpacks one model, unless it is here."""
    model = wanted(arguments.name, arguments.url, arguments.sha256)
    folder = models_folder() / model.name
    if folder.is_dir():
        print(f"{model.name} is here: {folder}")
        return 0
    archive = folder.with_name(f"{model.name}.download")
    try:
        fetched(model.url, model.sha256, archive, _told(model.name))
        unpacked(archive, folder)
        archive.unlink()
    except OSError as problem:
        raise CommandFailed(f"{folder} cannot be written: {problem.strerror or problem}") from None
    print(f"{model.name} is here: {folder}")
    if model.engine:
        print(f"Use it: VOXBUS_STT_{model.engine.upper()}_MODEL={folder.absolute()}")
        print(f"and VOXBUS_STT_DEFAULT={model.engine} for all calls,")
        print(f'or "transcriber": {{"provider": "vapi", "model": "{model.engine}"}} in an assistant')
    return 0


def wanted(name: str, url: str | None, sha256: str | None) -> KnownModel:
    """The model that was asked for. Raises BadInput naming the option."""
    if (url is None) != (sha256 is None):
        raise BadInput("--url and --sha256 are given together: nothing is fetched whose hash is not known")
    if url is None or sha256 is None:
        for model in KNOWN:
            if model.name == name:
                return model
        known = ", ".join(model.name for model in KNOWN)
        raise BadInput(f"no model is named {name!r}; there are: {known}; others are taken with --url and --sha256")
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} cannot be the name of a folder: letters, digits, '.', '_' and '-'")
    if not url.startswith(("https://", "http://")):
        raise BadInput(f"--url {url!r} is no http or https address")
    if not _SHA256.fullmatch(sha256.lower()):
        raise BadInput(f"--sha256 {sha256!r} is not 64 hexadecimal digits")
    return KnownModel(name, url, sha256.lower(), 0, "", "")


def models_folder() -> Path:
    """Where models lie."""
    return read_settings(os.environ).data_dir / "models"


def _told(name: str) -> Progress:
    """Prints every tenth of it, on standard error."""
    shown = [-1]

    def tell(here: int, total: int | None) -> None:
        tenth = here * 10 // total if total else here // (10 * _MIB)
        if tenth == shown[0]:
            return
        shown[0] = tenth
        share = f"{here / total:.0%} of {total / _MIB:.0f} MiB" if total else f"{here / _MIB:.0f} MiB"
        print(f"{name}: {share}", file=sys.stderr)

    return tell
