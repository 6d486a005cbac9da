import pytest

from voxbus_control_api.errors import BadRequest
from voxbus_control_api.listing import read_listing


def test_without_parameters_a_hundred_are_listed() -> None:
    assert read_listing({}).limit == 100


def test_times_are_read_with_and_without_a_zone() -> None:
    listing = read_listing({"createdAtGt": "1970-01-01T00:00:01Z", "updatedAtLe": "1970-01-01T00:00:02.500"})
    assert listing.times == (("created_at_ms", "Gt", 1_000.0), ("updated_at_ms", "Le", 2_500.0))


def test_every_wrong_parameter_is_named() -> None:
    with pytest.raises(BadRequest) as refused:
        read_listing({"limit": "-1", "createdAtGt": "yesterday", "updatedAtLt": ""})
    assert [problem.split(" ")[0] for problem in refused.value.problems] == ["limit", "createdAtGt", "updatedAtLt"]
