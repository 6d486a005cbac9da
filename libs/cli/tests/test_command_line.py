"""What the `voxbus` command says to a person, as a process of its own."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from voxbus_cli.commands import load
from voxbus_cli.doctor.checks import examine
from voxbus_cli.environment import StackSettings
from voxbus_cli.main import build_parser, main
from voxbus_testing.nats import free_port


def voxbus(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voxbus_cli", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VOXBUS_")} | variables
    return subprocess.run(command, capture_output=True, text=True, timeout=50, env=environment, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["up"],
        ["call", "--wav", "x"],
        ["events", "--call", "x"],
        ["bench"],
        ["doctor"],
        ["bootstrap"],
        ["gen"],
        ["reconcile"],
        ["rebuild", "--all"],
        ["call", "show", "x"],
        ["keys", "list"],
        ["keys", "new"],
        ["keys", "revoke", "x"],
        ["keys", "rotate"],
    ],
    ids=lambda words: words[0],
)
def test_every_command_leads_to_a_function(arguments: list[str]) -> None:
    assert callable(load(build_parser().parse_args(arguments).run))


@pytest.mark.parametrize("factor", ["0", "-1", "fast", "nan", "1e9"])
def test_a_senseless_realtime_factor_is_refused(factor: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["call", "--wav", "x", f"--realtime-factor={factor}"])
    assert "--realtime-factor" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--calls", "0"], "--calls"),
        (["--calls", "many"], "--calls"),
        (["--seconds", "nan"], "--seconds"),
        (["--seconds", "7"], "--seconds"),
        (["--wait-seconds", "6"], "--wait-seconds"),
        (["--speculation", "maybe"], "--speculation"),
        (["--key", "k"], "--api"),
        (["--api", "http://203.0.113.7:8080", "--key", "k"], "--api"),
        (["--api", "http://127.0.0.1:8080"], "--key"),
        (["--api", "http://127.0.0.1:8080", "--key", "k", "--pin"], "--pin"),
        (["--api", "http://127.0.0.1:8080", "--key", "k", "--listeners", "5"], "--listeners"),
        (["--listeners", "none"], "--listeners"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_benchmark_that_cannot_be_is_refused_by_the_options_name(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VOXBUS_API_KEY", raising=False)
    with contextlib.suppress(SystemExit):
        assert main(["bench", *arguments]) == 2
    assert named in capsys.readouterr().err


def test_an_impossible_port_is_said_without_a_traceback(tmp_path: Path) -> None:
    run = voxbus("up", VOXBUS_PORT="http", VOXBUS_DATA_DIR=str(tmp_path))
    assert run.returncode == 2
    assert run.stderr == "voxbus up: VOXBUS_PORT='http' is no port: give a whole number from 1 to 65533\n"


def test_calling_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    run = voxbus("call", "--wav", "x.wav", VOXBUS_DATA_DIR=str(tmp_path))
    assert run.returncode == 2
    assert "start `voxbus up`" in run.stderr


def test_a_file_that_is_no_audio_is_refused_before_any_call(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_text("not audio")
    run = voxbus("call", "--wav", str(tmp_path / "x.wav"), "--key", "k", VOXBUS_DATA_DIR=str(tmp_path))
    assert run.returncode == 2
    assert "--wav: " in run.stderr
    assert "x.wav" in run.stderr


def test_an_api_that_does_not_answer_is_named_with_its_address(tmp_path: Path) -> None:
    from voxbus_audio import silence, write_wav

    write_wav(tmp_path / "x.wav", silence(100))
    url = f"http://127.0.0.1:{free_port()}"
    run = voxbus("call", "--wav", str(tmp_path / "x.wav"), "--key", "k", "--url", url, VOXBUS_DATA_DIR=str(tmp_path))
    assert run.returncode == 1
    assert url in run.stderr
    assert "Traceback" not in run.stderr


def test_a_call_id_that_cannot_be_one_is_refused_by_name(tmp_path: Path) -> None:
    run = voxbus("events", "--call", "a.b.>", VOXBUS_DATA_DIR=str(tmp_path))
    assert run.returncode == 2
    assert "--call" in run.stderr


def test_the_doctor_reports_for_programs_and_fails_only_over_problems(tmp_path: Path) -> None:
    run = voxbus("doctor", "--json", VOXBUS_DATA_DIR=str(tmp_path), VOXBUS_PORT=str(free_port()))
    found = {line["what"]: line["verdict"] for line in json.loads(run.stdout)}
    assert (found["python"], found["nats-server"], found["data folder"]) == ("ok", "ok", "ok")
    assert run.returncode == int("problem" in found.values())


def test_the_doctor_names_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = {finding.what: finding for finding in examine(StackSettings(tmp_path / "file" / "data"))}
    assert found["data folder"].verdict == "problem"
    assert "VOXBUS_DATA_DIR" in found["data folder"].text
