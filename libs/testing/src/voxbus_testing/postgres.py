"""A real PostgreSQL server for tests, and every database a test should run on."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from voxbus_testing.nats import free_port

_USER = "voxbus"
_ABSENT = (
    "no PostgreSQL server on this machine (initdb and postgres, on the PATH or in /usr/lib/postgresql/*/bin): "
    "what is tested with PostgreSQL is skipped, SQLite is tested"
)


@dataclass
class PostgresServer:
    """A server process on a free port, its files in a folder that is removed with it. Not durable: fsync is off."""

    binaries: Path
    folder: Path
    port: int
    process: subprocess.Popen[Any] | None = None

    def url(self, database: str) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200"]
        command = [str(self.binaries / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "-k", str(self.folder), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **_nobody(),
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(subprocess.CalledProcessError, OSError):
                self.execute("SELECT 1")
                return
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not open port {self.port} within 20 s")

    def execute(self, statement: str) -> None:
        """As its superuser, in the database every server has."""
        with socket.create_connection(("127.0.0.1", self.port), 1):
            pass
        command = [str(self.binaries / "psql"), "-q", "-X", "-h", "127.0.0.1", "-p", str(self.port), "-U", _USER]
        subprocess.run([*command, "-d", "postgres", "-c", statement], check=True, capture_output=True, timeout=30)

    def create(self, database: str, template: str = "template1") -> str:
        """Its address."""
        self.execute(f"CREATE DATABASE {database} TEMPLATE {template}")
        return self.url(database)

    def drop(self, database: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def stop(self) -> None:
        """At once, whoever is connected."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(20)
            self.process = None


def find_binaries() -> Path | None:
    """Folder of initdb, postgres and psql; the newest where several are installed."""
    on_path = shutil.which("postgres")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
    return next(
        (each for each in folders if all((each / name).exists() for name in ("initdb", "postgres", "psql"))), None
    )


def make_server(binaries: Path) -> PostgresServer:
    """An empty cluster, owned by `nobody` where this is root: PostgreSQL refuses to run as root."""
    folder = Path(tempfile.mkdtemp(prefix="voxbus-postgres-"))
    if os.getuid() == 0:
        shutil.chown(folder, "nobody")
    options = ["-A", "trust", "-U", _USER, "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(
        [str(binaries / "initdb"), "-D", str(folder / "data"), *options],
        check=True,
        capture_output=True,
        timeout=60,
        **_nobody(),
    )
    return PostgresServer(binaries, folder, free_port())


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the whole session."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip(_ABSENT)
    server = make_server(binaries)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Address of an empty database of the test's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield postgres_server.create(name)
    postgres_server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database; a test that asks for it runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'database' / 'test.db'}"
    return str(request.getfixturevalue("postgres_url"))


Prepare = Callable[[str], None]
"""Makes of an empty database, by its address, one that tests begin with; leaves no connection open."""


class Templates:
    """Databases that were prepared once and are copied for each test: of one kind, by who prepares them."""

    def __init__(self) -> None:
        self._made: dict[Prepare, str] = {}

    def of(self, prepare: Prepare, new: Callable[[], str]) -> str:
        """What `new` named, prepared when it is first asked for."""
        if prepare not in self._made:
            url = new()
            prepare(url)
            self._made[prepare] = url
        return self._made[prepare]


@pytest.fixture(scope="session")
def sqlite_templates() -> Templates:
    return Templates()


@pytest.fixture(scope="session")
def postgres_templates() -> Templates:
    return Templates()


@pytest.fixture(params=["sqlite", "postgresql"])
def prepared_url(request: pytest.FixtureRequest, prepare: Prepare, tmp_path: Path) -> Iterator[str]:
    """Address of a database of the test's own as `prepare`, a fixture of the session, leaves one; on each kind."""
    if request.param == "sqlite":
        yield _copied_file(request, prepare, tmp_path / "database" / "test.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    templates: Templates = request.getfixturevalue("postgres_templates")
    template = templates.of(prepare, lambda: server.create(f"template_{uuid.uuid4().hex[:12]}"))
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield server.create(name, template.rpartition("/")[2])
    server.drop(name)


def _copied_file(request: pytest.FixtureRequest, prepare: Prepare, path: Path) -> str:
    folders: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    templates: Templates = request.getfixturevalue("sqlite_templates")
    template = templates.of(prepare, lambda: f"sqlite:///{folders.mktemp('template') / 'test.db'}")
    path.parent.mkdir()
    shutil.copy(template.removeprefix("sqlite:///"), path)
    return f"sqlite:///{path}"


def _nobody() -> dict[str, Any]:
    """Whose process it is to be."""
    if os.getuid() != 0:
        return {"cwd": "/"}
    return {"cwd": "/", "user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
