"""What the environment and the options make of a stack."""

from pathlib import Path

import pytest

from voxbus_cli.environment import StackSettings, read_settings
from voxbus_cli.errors import BadInput
from voxbus_cli.stack.plan import (
    DEMO_SERVER,
    child_environment,
    plan_children,
    planned_ports,
    read_replicas,
    ready_line,
    worker_id,
)
from voxbus_contracts.identity import SERVICES

SETTINGS = StackSettings(Path("data"), port=9000, nats_port=9100, api_key="secret")
ORDER_STATUS = "http://127.0.0.1:9002/tools/order-status"


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = read_settings({})
    assert (settings.data_dir, settings.port, settings.nats_port, settings.api_key) == (
        Path(".voxbus"),
        8080,
        4222,
        "",
    )


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read_settings({"VOXBUS_PORT": "", "VOXBUS_DATA_DIR": ""}) == read_settings({})


@pytest.mark.parametrize("value", ["0", "65534", "80a", "-1", "8080.0", "²"])
def test_an_impossible_port_is_refused_by_the_name_of_its_variable(value: str) -> None:
    with pytest.raises(BadInput, match="VOXBUS_PORT"):
        read_settings({"VOXBUS_PORT": value})


def test_the_highest_nats_port_is_allowed_because_none_follows_it() -> None:
    assert read_settings({"VOXBUS_NATS_PORT": "65535"}).nats_port == 65_535


def test_media_and_demo_server_follow_the_api_port() -> None:
    assert (SETTINGS.media_url, SETTINGS.demo_server_url) == ("ws://127.0.0.1:9001", ORDER_STATUS)


def test_nats_on_one_of_the_api_ports_is_refused_before_anything_starts() -> None:
    with pytest.raises(BadInput, match=r"VOXBUS_NATS_PORT=9002.*demo"):
        planned_ports(StackSettings(Path("data"), port=9000, nats_port=9002))


def test_the_port_on_which_nats_tells_of_itself_is_checked_like_the_others() -> None:
    assert read_settings({"VOXBUS_NATS_MONITOR_PORT": "0"}).nats_monitor_port == 0
    watched = read_settings({"VOXBUS_NATS_MONITOR_PORT": "8222"})
    assert planned_ports(watched)[-1].variable == "VOXBUS_NATS_MONITOR_PORT"
    with pytest.raises(BadInput, match=r"VOXBUS_NATS_MONITOR_PORT=4222 is also the port of NATS"):
        planned_ports(read_settings({"VOXBUS_NATS_MONITOR_PORT": "4222"}))
    with pytest.raises(BadInput, match="VOXBUS_NATS_MONITOR_PORT"):
        read_settings({"VOXBUS_NATS_MONITOR_PORT": "yes"})


def test_every_port_of_the_plan_names_the_variable_that_moves_it() -> None:
    assert [(port.number, port.variable) for port in planned_ports(SETTINGS)] == [
        (9000, "VOXBUS_PORT"),
        (9001, "VOXBUS_PORT"),
        (9002, "VOXBUS_PORT"),
        (9100, "VOXBUS_NATS_PORT"),
    ]


def test_every_service_is_planned_once_and_as_its_module() -> None:
    children = plan_children(SETTINGS, read_replicas(""), "python")
    assert [child.stage for child in children] == ["", *SERVICES]
    assert children[0].name == DEMO_SERVER
    assert children[0].port == 9002
    assert ("python", "-m", "voxbus_cli.stack.starting", "voxbus_stt_worker") in [child.command for child in children]


def test_replicas_have_names_of_their_own_and_the_same_stage() -> None:
    children = plan_children(SETTINGS, read_replicas("vad=3, tts-worker=2"), "python")
    assert [child.name for child in children if child.stage == "vad"] == ["vad", "vad-2", "vad-3"]
    assert [child.name for child in children if child.stage == "tts-worker"] == ["tts-worker", "tts-worker-2"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("vat=2", "vat"),
        ("vad", "vad"),
        ("vad=0", "vad=0"),
        ("vad=x", "vad=x"),
        ("vad=99", "vad=99"),
        ("media-ingress=2", "media-ingress listens"),
        ("control-api=2", "control-api listens"),
    ],
)
def test_replicas_that_cannot_be_are_refused_by_name(text: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        read_replicas(text)


def test_one_replica_of_a_listening_service_may_be_spelled_out() -> None:
    assert read_replicas("control-api=1")["control-api"] == 1


def test_the_stack_overrides_inherited_addresses_but_leaves_other_variables() -> None:
    inherited = {"PATH": "/bin", "VOXBUS_NATS_URL": "nats://elsewhere:1", "VOXBUS_GUARD_ALLOW": "10.0.0.0/8"}
    environment = child_environment(SETTINGS, inherited, "cluster")
    assert environment["VOXBUS_NATS_URL"] == "nats://127.0.0.1:9100"
    assert environment["VOXBUS_MEDIA_URL"] == "ws://127.0.0.1:9001"
    assert (environment["VOXBUS_API_PORT"], environment["VOXBUS_MEDIA_PORT"]) == ("9000", "9001")
    assert (environment["VOXBUS_DEMO_PORT"], environment["VOXBUS_DEMO_SERVER_URL"]) == ("9002", ORDER_STATUS)
    assert environment["VOXBUS_CLUSTER_KEY"] == "cluster"
    assert environment["VOXBUS_API_KEY"] == "secret"
    assert (environment["PATH"], environment["VOXBUS_GUARD_ALLOW"]) == ("/bin", "10.0.0.0/8")
    assert Path(environment["VOXBUS_DATA_DIR"]).is_absolute()


def test_tools_on_this_machine_are_allowed_unless_somebody_says_otherwise() -> None:
    assert child_environment(SETTINGS, {}, "cluster")["VOXBUS_GUARD_ALLOW"] == "127.0.0.0/8,::1/128"


def test_no_key_is_made_up_where_none_is_given() -> None:
    assert "VOXBUS_API_KEY" not in child_environment(StackSettings(Path("data")), {}, "cluster")


def test_a_worker_is_named_by_its_service_even_when_it_is_a_replica() -> None:
    children = plan_children(SETTINGS, read_replicas("vad=2"), "python")
    second = next(child for child in children if child.name == "vad-2")
    assert worker_id(second, "3f9a01") == "vad-3f9a01"
    assert worker_id(children[0], "3f9a01") == "demo-server-3f9a01"


def test_the_ready_line_is_what_scripts_wait_for() -> None:
    assert ready_line(SETTINGS, "k") == "voxbus ready api=http://127.0.0.1:9000 nats=nats://127.0.0.1:9100 key=k"


def test_somebody_elses_nats_is_used_as_it_is_and_takes_no_port() -> None:
    settings = read_settings({"VOXBUS_NATS_URL": "nats://a:4222, nats://b:4222", "VOXBUS_NATS_REPLICAS": "3"})
    assert (settings.nats_url, settings.nats_replicas) == ("nats://a:4222,nats://b:4222", 3)
    assert "VOXBUS_NATS_PORT" not in {port.variable for port in planned_ports(settings)}


@pytest.mark.parametrize(("name", "value"), [("VOXBUS_NATS_URL", "10.0.0.5:4222"), ("VOXBUS_NATS_REPLICAS", "2")])
def test_an_impossible_nats_setting_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(BadInput, match=name):
        read_settings({name: value})


def test_a_login_in_the_address_is_not_shown() -> None:
    settings = read_settings({"VOXBUS_NATS_URL": "nats://user:secret@a:4222,nats://user:secret@b:4222"})
    assert "secret" not in ready_line(settings, "k")
    assert settings.nats_url.count("secret") == 2
