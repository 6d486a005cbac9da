"""The data folder: made on first use, held by one stack at a time, keeper of the stack's keys."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet

from voxbus_cli.environment import StackSettings
from voxbus_cli.errors import BadInput

_KEY_MODE: Final = 0o600


@contextmanager
def held_folder(settings: StackSettings) -> Generator[None, None, None]:
    """Makes the folder and keeps other stacks out of it; raises BadInput when one is there or it cannot be written."""
    try:
        # What callers said is in there: for its owner's eyes.
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.log_dir.mkdir(exist_ok=True)
        lock = (settings.data_dir / "lock").open("a+")
    except OSError as wrong:
        raise BadInput(
            f"VOXBUS_DATA_DIR={settings.data_dir} cannot be written: {wrong.strerror}. Choose another folder."
        ) from wrong
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise BadInput(
                f"another stack (process {lock.read().strip()}) uses {settings.data_dir}: "
                "stop it, or set VOXBUS_DATA_DIR to another folder"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def cluster_key(data_dir: Path) -> str:
    """The key that seals customers' secrets; made once, readable by its owner only. Raises BadInput when damaged."""
    path = data_dir / "cluster-key"
    if not path.exists():
        # Whole or not at all: a key cut short by a crash would lock every sealed secret away.
        fresh = path.with_name(f"cluster-key.{os.getpid()}")
        _write_private(fresh, Fernet.generate_key().decode())
        fresh.replace(path)
    key = path.read_text().strip()
    try:
        Fernet(key)
    except ValueError:
        raise BadInput(
            f"{path} holds no cluster key: put the saved one back, or delete the file to lose all sealed secrets"
        ) from None
    return key


@contextmanager
def announced(settings: StackSettings) -> Generator[None, None, None]:
    """While it lasts, other commands find the stack's addresses in its folder."""
    files = {settings.api_url_file: settings.api_url, settings.nats_url_file: settings.nats_url}
    try:
        for path, address in files.items():
            path.touch(mode=0o600)
            path.write_text(f"{address}\n")
        yield
    finally:
        for path in files:
            path.unlink(missing_ok=True)


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _KEY_MODE), "w") as file:
        file.write(text)
        os.fsync(file.fileno())
