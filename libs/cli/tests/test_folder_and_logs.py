"""The data folder, its keys and its logs; the ports of the machine."""

import io
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from voxbus_cli.environment import StackSettings
from voxbus_cli.errors import BadInput, PortTaken
from voxbus_cli.stack.broker import broker_config, broker_environment, read_version
from voxbus_cli.stack.folder import announced, cluster_key, held_folder
from voxbus_cli.stack.logs import KEPT_OLD, last_lines, rotate
from voxbus_cli.stack.plan import planned_ports
from voxbus_cli.stack.ports import check_ports, is_free
from voxbus_cli.stack.progress import Progress
from voxbus_testing.nats import free_port


def test_the_cluster_key_is_made_once_private_and_usable(tmp_path: Path) -> None:
    key = cluster_key(tmp_path)
    assert Fernet(key).decrypt(Fernet(key).encrypt(b"x")) == b"x"
    assert cluster_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "cluster-key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["cluster-key"]


def test_a_damaged_cluster_key_is_not_replaced_silently(tmp_path: Path) -> None:
    (tmp_path / "cluster-key").write_text("half a k")
    with pytest.raises(BadInput, match="cluster-key"):
        cluster_key(tmp_path)


_HOLD = """
import sys, pathlib
from voxbus_cli.environment import StackSettings
from voxbus_cli.errors import BadInput
from voxbus_cli.stack.folder import held_folder
try:
    with held_folder(StackSettings(pathlib.Path(sys.argv[1]))):
        print("held")
except BadInput as wrong:
    print(wrong)
"""


def _from_another_process(settings: StackSettings) -> str:
    command = [sys.executable, "-c", _HOLD, str(settings.data_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def test_a_second_stack_on_the_same_folder_is_told_who_holds_it(tmp_path: Path) -> None:
    settings = StackSettings(tmp_path / "data")
    with held_folder(settings):
        assert f"process {os.getpid()}" in _from_another_process(settings)
    assert _from_another_process(settings) == "held"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="VOXBUS_DATA_DIR"), held_folder(StackSettings(tmp_path / "file")):
        pass


def test_a_new_data_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    with held_folder(StackSettings(tmp_path / "deep" / "data")):
        assert stat.S_IMODE((tmp_path / "deep" / "data").stat().st_mode) == 0o700


def test_addresses_are_announced_only_while_the_stack_runs(tmp_path: Path) -> None:
    settings = StackSettings(tmp_path, port=9000)
    with announced(settings):
        assert settings.api_url_file.read_text().strip() == "http://127.0.0.1:9000"
        assert settings.nats_url_file.exists()
    assert not settings.api_url_file.exists()


def test_a_taken_port_is_named_with_the_variable_that_moves_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        settings = StackSettings(Path("data"), port=port - 1, nats_port=65_000 if port < 60_000 else 20_000)
        with pytest.raises(PortTaken, match=rf"port {port} for the callers' WebSocket .*VOXBUS_PORT") as refused:
            check_ports(planned_ports(settings))
        assert refused.value.exit_status == 2


def test_a_port_somebody_listens_on_everywhere_is_taken_here_too() -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        assert not is_free(taken.getsockname()[1])


def test_a_free_port_stays_free_after_the_look() -> None:
    port = free_port()
    assert is_free(port)
    assert is_free(port)


def test_a_log_is_rotated_by_size_and_the_oldest_goes(tmp_path: Path) -> None:
    log = tmp_path / "vad.log"
    for number in range(KEPT_OLD + 2):
        log.write_text(f"life {number} {'x' * 100}")
        rotate(log, at_bytes=100)
    assert not log.exists()
    kept = [(tmp_path / f"vad.log.{n}").read_text().split()[1] for n in range(1, KEPT_OLD + 1)]
    assert kept == ["4", "3", "2"]
    assert len(list(tmp_path.iterdir())) == KEPT_OLD


def test_a_small_log_stays(tmp_path: Path) -> None:
    log = tmp_path / "vad.log"
    log.write_text("short")
    rotate(log, at_bytes=100)
    assert log.read_text() == "short"


def test_only_the_last_lines_of_this_life_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "vad.log"
    log.write_text("before\n")
    began = log.stat().st_size
    with log.open("a") as file:
        file.write("one\n\ntwo\nthree\n")
    assert last_lines(log, 2, began) == ["two", "three"]
    assert last_lines(log, 9, began) == ["one", "two", "three"]
    assert last_lines(tmp_path / "none.log", 9) == []


def test_progress_off_a_terminal_is_one_line_per_new_step() -> None:
    out = io.StringIO()
    progress = Progress(out)
    for text in ("starting 1/2", "starting 1/2", "starting 2/2"):
        progress.step(text)
    progress.note("vad ended", ["last words"])
    assert out.getvalue() == "  starting 1/2\n  starting 2/2\n  vad ended\n    | last words\n"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_changes_one_line_and_takes_it_away() -> None:
    out = _Terminal()
    progress = Progress(out)
    progress.step("starting 1/2")
    progress.step("starting 2/2")
    progress.step("starting, waiting for " + "x" * 500)
    progress.close()
    assert max(len(line) for line in out.getvalue().split("\r")) < 200
    assert out.getvalue().count("\n") == 0
    assert out.getvalue().endswith("\r\x1b[K")


def test_the_version_of_nats_server_is_read_from_its_own_words() -> None:
    assert read_version("nats-server: v2.15.1\n") == (2, 15, 1)
    assert read_version("nats-server: version unknown") is None


def test_the_limits_of_nats_hold_every_stream_whatever_the_machine(tmp_path: Path) -> None:
    config = broker_config(StackSettings(tmp_path, nats_port=9100))
    assert 'listen: "127.0.0.1:9100"' in config
    assert "http" not in config
    assert 'http: "127.0.0.1:9101"' in broker_config(StackSettings(tmp_path, nats_port=9100, nats_monitor_port=9101))
    limits = dict(line.strip().split(": ") for line in config.splitlines() if "_store:" in line)
    assert int(limits["max_memory_store"]) > 512 * 1024 * 1024
    assert int(limits["max_file_store"]) > (4096 + 512 + 64) * 1024 * 1024


def test_the_bus_leaves_cores_to_the_services_unless_somebody_says_otherwise() -> None:
    assert broker_environment({"PATH": "/bin"}, 2) == {"PATH": "/bin", "GOMAXPROCS": "1", "GOGC": "200"}
    assert broker_environment({}, 16)["GOMAXPROCS"] == "4"
    assert broker_environment({"GOMAXPROCS": "3"}, 16)["GOMAXPROCS"] == "3"
