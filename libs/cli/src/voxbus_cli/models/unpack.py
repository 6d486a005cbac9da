"""Unpacks an archive into a folder of its own, or not at all."""

import shutil
import tarfile
import zipfile
from pathlib import Path

from voxbus_cli.errors import CommandFailed


class BadArchive(CommandFailed):
    """The archive cannot be unpacked, or would write outside its folder."""

    code = "cli.bad_archive"


def unpacked(archive: Path, folder: Path) -> None:
    """What the archive holds lies in `folder`, without the one folder around it. Raises BadArchive, OSError."""
    partial = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, partial)
        else:
            _untar(archive, partial)
        inside = list(partial.iterdir())
        whole = inside[0] if len(inside) == 1 and inside[0].is_dir() else partial
        shutil.rmtree(folder, ignore_errors=True)
        whole.rename(folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as problem:
        raise BadArchive(f"{archive.name} cannot be unpacked: {problem}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        for name in content.namelist():
            _check_inside(archive, folder, name)
        content.extractall(folder)  # noqa: S202 - every name was looked at


def _untar(archive: Path, folder: Path) -> None:
    """Files and folders; piece by piece, for tarfile's own filters are missing before Python 3.11.4."""
    with tarfile.open(archive) as content:
        for member in content:
            target = _check_inside(archive, folder, member.name)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            source = content.extractfile(member) if member.isreg() else None
            if source is None:
                raise BadArchive(f"{archive.name} holds something that is neither file nor folder: {member.name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            with source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)


def _check_inside(archive: Path, folder: Path, name: str) -> Path:
    """Where it would be written."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise BadArchive(f"{archive.name} would write outside its folder: {name}")
    return target
