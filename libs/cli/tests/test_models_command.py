"""`voxbus models`: an archive of our own from a server of our own, whole, cut off, wrong and unreachable."""

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from voxbus_cli.main import main
from voxbus_cli.models.known import KNOWN
from voxbus_testing.nats import free_port


def zipped(**files: str) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/").replace("_up_", "../../"), text)
    return body.getvalue()


def tarred(name: str, text: bytes, *, target: str = "") -> bytes:
    """An archive of one file, or of a link where there is a target."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:bz2") as archive:
        entry = tarfile.TarInfo(name)
        if target:
            entry.type, entry.linkname = tarfile.SYMTYPE, target
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return body.getvalue()


MODEL = zipped(tiny__am="acoustics " * 1_000, tiny__conf="settings")


class Publisher:
    """A web server with one archive, which understands ranges and may hang up in the middle."""

    def __init__(self) -> None:
        self.body = MODEL
        self.cut_at: int | None = None
        self.ranges: list[str | None] = []
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.answer(self)

            def log_message(self, *args: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/tiny.zip"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if request.path == "/gone" or (wanted and start >= len(self.body)):
            request.send_error(416 if wanted else 404)
            return
        piece = self.body[start:]
        request.send_response(206 if wanted else 200)
        request.send_header("Content-Length", str(len(piece)))
        request.end_headers()
        request.wfile.write(piece[: self.cut_at])
        self.cut_at = None


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    made = Publisher()
    serving = threading.Thread(target=made.server.serve_forever)
    serving.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    serving.join()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VOXBUS_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def pull(publisher: Publisher, body: bytes | None = None, url: str | None = None) -> int:
    sha256 = hashlib.sha256(publisher.body if body is None else body).hexdigest()
    return main(["models", "pull", "tiny", "--url", url or publisher.url, "--sha256", sha256])


def test_a_model_is_fetched_checked_and_unpacked_without_the_folder_around_it(
    publisher: Publisher, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pull(publisher) == 0
    assert (data / "models" / "tiny" / "conf").read_text() == "settings"
    assert [each.name for each in (data / "models").iterdir()] == ["tiny"]
    said = capsys.readouterr()
    assert "100%" in said.err
    assert str(data / "models" / "tiny") in said.out
    assert pull(publisher) == 0
    assert len(publisher.ranges) == 1, "what is here is not fetched again"


def test_a_download_that_was_cut_off_goes_on_where_it_stopped(
    publisher: Publisher, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.cut_at = 100
    assert pull(publisher) == 1
    assert "the same command goes on from there" in capsys.readouterr().err
    assert pull(publisher) == 0
    assert publisher.ranges == [None, "bytes=100-"]
    assert (data / "models" / "tiny" / "am").read_text() == "acoustics " * 1_000


def test_an_archive_put_there_by_hand_is_taken(publisher: Publisher, data: Path) -> None:
    (data / "models").mkdir(parents=True)
    (data / "models" / "tiny.download").write_bytes(MODEL)
    assert pull(publisher) == 0
    assert publisher.ranges == [f"bytes={len(MODEL)}-"]


def test_an_archive_with_another_hash_is_thrown_away(
    publisher: Publisher, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pull(publisher, body=b"something else") == 1
    assert "it was thrown away" in capsys.readouterr().err
    assert list((data / "models").iterdir()) == []


def test_without_network_the_message_says_what_to_do(
    publisher: Publisher, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pull(publisher, url=f"http://127.0.0.1:{free_port()}/tiny.zip") == 1
    said = capsys.readouterr().err
    assert "cannot be reached (ConnectError). This needs the network" in said
    assert str(data / "models" / "tiny.download") in said


def test_an_address_that_holds_nothing_says_its_status(
    publisher: Publisher, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pull(publisher, url=publisher.url.replace("tiny.zip", "gone")) == 1
    assert "answered 404" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (zipped(_up_evil="x"), "would write outside its folder"),
        (tarred("../../evil", b"x"), "would write outside its folder"),
        (tarred("/tmp/evil", b"x"), "would write outside its folder"),
        (tarred("link", b"", target="../../evil"), "neither file nor folder"),
        (b"no archive at all", "cannot be unpacked"),
    ],
)
def test_an_archive_that_is_none_or_reaches_outside_is_refused(
    publisher: Publisher, data: Path, body: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.body = body
    assert pull(publisher) == 1
    assert said in capsys.readouterr().err
    assert not (data / "models" / "tiny").exists()
    assert not (data.parent / "evil").exists()


def test_a_tar_archive_is_unpacked_too(publisher: Publisher, data: Path) -> None:
    publisher.body = tarred("sherpa-model/tokens.txt", b"a 0\n")
    assert pull(publisher) == 0
    assert (data / "models" / "tiny" / "tokens.txt").read_bytes() == b"a 0\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], "no model is named 'nobody'; there are: vosk-model-small"),
        (["tiny", "--url", "http://h/x"], "--url and --sha256 are given together"),
        (["../up", "--url", "http://h/x", "--sha256", "0" * 64], "cannot be the name of a folder"),
        (["tiny", "--url", "ftp://h/x", "--sha256", "0" * 64], "no http or https address"),
        (["tiny", "--url", "http://h/x", "--sha256", "abc"], "--sha256 'abc' is not 64 hexadecimal digits"),
    ],
)
def test_bad_input_names_the_option(
    data: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "pull", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_the_list_names_what_is_known_and_what_is_here(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "models" / KNOWN[0].name).mkdir(parents=True)
    (data / "models" / "own").mkdir()
    assert main(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(str(data / "models" / KNOWN[0].name))
    assert lines[1].endswith("not here")
    assert lines[-1].startswith("own ")


def test_every_known_model_has_a_whole_hash_a_size_and_an_engine() -> None:
    for model in KNOWN:
        assert len(model.sha256) == 64
        assert int(model.sha256, 16)
        assert model.bytes > 1_000_000
        assert model.engine in ("vosk", "sherpa")
        assert model.name in model.url
