"""Labels of the tool runner's instruments."""

from voxbus_tool_runner.metrics import BoundedNames


def test_only_the_first_names_become_labels_and_they_stay() -> None:
    names = BoundedNames(most=2)
    assert [names.label(name) for name in ("a", "b", "c", "a", "d", "b")] == ["a", "b", "other", "a", "other", "b"]
