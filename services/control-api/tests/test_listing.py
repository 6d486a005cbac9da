import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from voxbus_control_api.errors import BadRequest
from voxbus_control_api.listing import Filters, Listing, page_metadata, read_filtered, read_listing


def test_without_parameters_a_hundred_are_listed() -> None:
    assert read_listing({}).limit == 100


def test_times_are_read_with_and_without_a_zone() -> None:
    listing = read_listing({"createdAtGt": "1970-01-01T00:00:01Z", "updatedAtLe": "1970-01-01T00:00:02.500"})
    assert listing.times == (("created_at_ms", "Gt", 1_000.0), ("updated_at_ms", "Le", 2_500.0))


def test_every_wrong_parameter_is_named() -> None:
    with pytest.raises(BadRequest) as refused:
        read_listing({"limit": "-1", "createdAtGt": "yesterday", "updatedAtLt": ""})
    assert [problem.split(" ")[0] for problem in refused.value.problems] == ["limit", "createdAtGt", "updatedAtLt"]


def test_pages_and_numbers_of_clients_with_one_kind_of_number_are_read() -> None:
    listing = read_filtered({"limit": "10.0", "page": "3", "sortOrder": "ASC"}, Filters())
    assert (listing.limit, listing.page, listing.oldest_first) == (10, 3, True)
    for text in ("1e3", "9" * 5000, "1.5", "", "١"):
        with pytest.raises(BadRequest, match="limit must be a whole number"):
            read_listing({"limit": text})


def test_a_plus_that_was_not_escaped_is_still_a_zone() -> None:
    listing = read_listing({"createdAtGt": "1970-01-01T01:00:01 01:00"})
    assert listing.times == (("created_at_ms", "Gt", 1_000.0),)
    with pytest.raises(BadRequest):
        read_listing({"createdAtGt": "0001-01-01T00:00:00+23:59x"})


@given(st.integers(0, 1000), st.integers(0, 500), st.integers(1, 20))
def test_pages_hold_every_item_once(total: int, limit: int, page: int) -> None:
    told = page_metadata(Listing(limit=limit, page=page), total)
    assert told["totalPages"] * limit >= total if limit else told["totalPages"] == 0
    assert told["hasNextPage"] == (limit > 0 and page * limit < total)


SESSIONS = Filters(columns={"id": "id", "idAny": "id"}, in_body={"numberAny": "customer.number"}, amounts=("cost",))


@pytest.mark.parametrize("asked", ["idAny=a,b", "idAny=a&idAny=b", "idAny[]=a&idAny[]=%20b,"])
def test_several_values_are_given_in_every_way_that_clients_have(asked: str) -> None:
    listing = read_filtered(QueryParams(f"{asked}&numberAny=%2B1&id=c,d"), SESSIONS)
    assert listing.equal == (("id", ("c,d",)), ("id", ("a", "b")))
    assert listing.in_body == (("customer.number", ("+1",)),)


def test_a_list_without_values_narrows_nothing() -> None:
    assert read_filtered(QueryParams("idAny=,&numberAny="), SESSIONS) == read_filtered({}, SESSIONS)


def test_the_character_nul_is_refused_in_every_one_of_repeated_parameters() -> None:
    with pytest.raises(BadRequest, match="idAny must not hold"):
        read_filtered(QueryParams("idAny=%00&idAny=b"), SESSIONS)


def test_lists_are_sorted_by_what_is_theirs_and_a_wrong_name_is_refused() -> None:
    assert [read_filtered({"sortBy": each}, SESSIONS).sort_by for each in ("cost", "duration")] == ["cost", "createdAt"]
    with pytest.raises(BadRequest, match="sortBy must be one of"):
        read_filtered({"sortBy": "price"}, Filters())
