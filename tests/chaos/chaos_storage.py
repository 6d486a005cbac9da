"""Storage that can be broken: a disk for objects that fills up, a PostgreSQL of our own, locked SQLite files."""

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from voxbus_testing.postgres import PostgresServer, find_binaries, make_server

_ROOM: Final = "2g"
"""Of a disk that is not full; tmpfs takes memory only for what lies in it."""
_LOCK_WITHIN_S: Final = 10.0
_GONE_WITHIN_S: Final = 10.0
DATABASE: Final = "voxbus"


@dataclass
class Volume:
    """A file system of its own for the object store. Needs root, to mount it."""

    folder: Path

    def mount(self) -> "Volume":
        """Raises PermissionError where one cannot be mounted."""
        if os.geteuid() != 0:
            raise PermissionError("a disk that fills up needs root, to mount a tmpfs")
        self.folder.mkdir(parents=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={_ROOM},mode=700", "voxbus-chaos", str(self.folder))
        return self

    def fill(self) -> int:
        """No room is left: its size becomes what is used. Returns the bytes in it."""
        used = shutil.disk_usage(self.folder).used
        _run("mount", "-o", f"remount,size={max(used, os.sysconf('SC_PAGE_SIZE'))}", str(self.folder))
        return used

    def heal(self) -> None:
        _run("mount", "-o", f"remount,size={_ROOM}", str(self.folder))

    def unmount(self) -> None:
        _run("umount", "-l", str(self.folder))


@dataclass
class Postgres:
    """`start`, then `url`; `stop` leaves nothing behind."""

    server: PostgresServer

    @classmethod
    def start(cls) -> "Postgres":
        """Raises FileNotFoundError where no PostgreSQL is installed."""
        binaries = find_binaries()
        if binaries is None:
            raise FileNotFoundError("initdb, postgres and psql are neither on the PATH nor in /usr/lib/postgresql")
        made = cls(make_server(binaries))
        made.server.start()
        made.server.execute(f"CREATE DATABASE {DATABASE}")
        return made

    @property
    def url(self) -> str:
        return self.server.url(DATABASE)

    async def kill(self, away_s: float) -> None:
        """Every process of it at once; back after `away_s`, with its crash to recover from."""
        assert self.server.process is not None
        family = self._family()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        await asyncio.to_thread(self.server.process.wait, _GONE_WITHIN_S)
        await asyncio.to_thread(psutil.wait_procs, family, _GONE_WITHIN_S)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(self.server.start)

    async def freeze(self, away_s: float) -> None:
        """Connections stay open and nobody answers on them."""
        family = self._family()
        _signal(family, signal.SIGSTOP)
        try:
            await asyncio.sleep(away_s)
        finally:
            _signal(family, signal.SIGCONT)

    def stop(self) -> None:
        self.server.stop()
        shutil.rmtree(self.server.folder, ignore_errors=True)

    def _family(self) -> list[psutil.Process]:
        assert self.server.process is not None
        first = psutil.Process(self.server.process.pid)
        return [first, *first.children(recursive=True)]


@contextlib.asynccontextmanager
async def locked(files: list[Path]) -> AsyncGenerator[None]:
    """While it lasts nobody else can write to these SQLite files."""
    holding: list[sqlite3.Connection] = []
    try:
        for file in files:
            holding.append(await asyncio.to_thread(_take, file))
        yield
    finally:
        for connection in holding:
            connection.rollback()
            connection.close()


def _take(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=_LOCK_WITHIN_S, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def database_files(data_dir: Path) -> list[Path]:
    """Of every service that has one."""
    return sorted(path for path in data_dir.glob("*/*.db") if path.is_file())


def _signal(family: list[psutil.Process], number: signal.Signals) -> None:
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _run(*words: str) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as refused:
        raise PermissionError(f"{words[0]}: {refused.stderr.strip()}") from refused
