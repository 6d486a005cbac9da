"""The official clients create, list, get, update and delete every resource without losing a field."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from comparing import lost, shown, without
from official import COMMANDS, Official, Refused
from table import Referenced, method_of, rows

Json = dict[str, Any]
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

CASES = [
    pytest.param(client, row, id=f"{client}: {row['name']}")
    for client in COMMANDS
    for row in rows()
    if client not in row.get("not", {})
]


@pytest.mark.parametrize(("client", "row"), CASES)
def test_a_resource_comes_back_whole_from_create_list_get_update_and_delete(
    clients: dict[str, Official], referenced: Referenced, client: str, row: Json
) -> None:
    official, resource = clients[client], row["resource"]
    posted = referenced.filled(row["create"])

    def do(verb: str, **more: Any) -> Any:
        return official.do(resource, method_of(resource, verb), **more)

    created = do("create", body=posted)
    try:
        comes_back_whole(do, created, row, referenced)
    finally:
        with suppress(Refused):  # deleted already; or one left over, which would be in the lists of the rows to come
            do("delete", id=created["id"])


def comes_back_whole(do: Callable[..., Any], created: Json, row: Json, referenced: Referenced) -> None:
    posted = without(referenced.filled(row["create"]), row.get("hidden", ()))
    assert not lost(posted, created)
    assert not shown(row["create"], created, row.get("hidden", ()))
    assert {"id", "orgId", "createdAt", "updatedAt"} <= created.keys()
    of_id = {"id": created["id"]}
    got = do("get", **of_id)
    assert not lost(posted, got)
    listed = do("list")
    listed = listed["results"] if isinstance(listed, dict) else listed
    (same,) = [each for each in listed if each["id"] == created["id"]]
    lasting = {name: value for name, value in same.items() if name != "updatedAt"}
    assert not lost(lasting, got)
    assert not lost(posted, same)

    changes = referenced.filled(row["update"])
    updated = do("update", **of_id, body=changes, query=row.get("updateQuery", {}))
    after = {**posted, **changes}
    assert not lost(after, updated)
    assert not lost(after, do("get", **of_id))

    gone = do("delete", **of_id)
    assert gone["id"] == created["id"]
    with pytest.raises(Refused) as refused:
        do("get", **of_id)
    assert refused.value.status == 404
    assert refused.value.body["statusCode"] == 404


def test_a_wrong_body_is_refused_with_the_fields_named_as_the_client_reports_it(official: Official) -> None:
    with pytest.raises(Refused) as refused:
        official.do("assistants", "create", body={"maxDurationSeconds": 1})
    assert refused.value.status == 400
    assert any("maxDurationSeconds" in line for line in refused.value.body["message"])
