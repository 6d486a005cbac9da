import pytest

from voxbus_cli.errors import BadInput
from voxbus_cli.main import build_parser
from voxbus_cli.tools.command import variables_of


def test_variables_are_given_one_by_one() -> None:
    asked = build_parser().parse_args(
        ["tools", "create", "calendly", "--credential", "c1", "--set", "eventType=https://a?b=c", "--set", "x=1"]
    )
    assert asked.run == "voxbus_cli.tools.command:create_tools"
    assert variables_of(asked.set) == {"eventType": "https://a?b=c", "x": "1"}


def test_a_variable_without_a_value_is_named() -> None:
    with pytest.raises(BadInput, match="'timeZone' must be NAME=VALUE"):
        variables_of(["timeZone"])
