from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from voxbus_control_api.overrides import merged, modernised, without_nulls

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
TREES = st.recursive(
    st.dictionaries(st.sampled_from("abc"), LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), LEAVES | inner, max_size=3),
    max_leaves=8,
)


@given(TREES, TREES)
def test_merging_keeps_what_is_not_overridden_and_takes_what_is(base: dict[str, Any], over: dict[str, Any]) -> None:
    out = merged(base, over)
    assert set(out) == set(base) | set(over)
    for name, value in over.items():
        if not (isinstance(value, dict) and isinstance(base.get(name), dict)):
            assert out[name] == value
    for name in set(base) - set(over):
        assert out[name] == base[name]


@given(TREES)
def test_merging_nothing_and_merging_twice_change_nothing(tree: dict[str, Any]) -> None:
    assert merged(tree, {}) == tree
    assert merged(tree, tree) == tree


def test_lists_are_replaced_not_joined() -> None:
    assert merged({"a": {"b": [1, 2]}}, {"a": {"b": [3]}}) == {"a": {"b": [3]}}


def test_nulls_inside_schemas_and_metadata_stay() -> None:
    tree = {"x": None, "metadata": {"y": None}, "model": {"tools": [{"parameters": {"default": None}, "z": None}]}}
    kept = {"metadata": {"y": None}, "model": {"tools": [{"parameters": {"default": None}}]}}
    assert without_nulls(tree) == kept


def test_a_server_that_is_given_wins_over_the_legacy_address() -> None:
    out = modernised({"server": {"url": "https://new"}, "serverUrl": "https://old"})
    assert out["server"] == {"url": "https://new"}


def test_an_older_function_becomes_a_tool_whose_server_is_asked_as_before() -> None:
    function = {"name": "f", "parameters": {}, "async": True, "serverUrl": "https://f.example", "serverUrlSecret": "s"}
    (tool,) = modernised({"model": {"functions": [function]}})["model"]["tools"]
    assert tool == {
        "type": "function",
        "function": {"name": "f", "parameters": {}},
        "serverMessage": "function-call",
        "server": {"url": "https://f.example", "secret": "s"},
        "async": True,
    }


def test_modernising_twice_adds_nothing_twice() -> None:
    old = {"endCallFunctionEnabled": True, "model": {"functions": [{"name": "f"}]}}
    once = modernised(old)
    assert modernised(once) == once
