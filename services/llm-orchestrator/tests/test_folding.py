"""What all functions that fold the log into the state have in common."""

from dataclasses import fields, replace

import pytest

from voxbus_llm_orchestrator.folding import changed
from voxbus_llm_orchestrator.state import CallState


@pytest.mark.parametrize("name", [field.name for field in fields(CallState)])
def test_a_changed_state_is_the_one_the_standard_library_makes(name: str) -> None:
    before = CallState(partial_text="so far", attachment=3)
    assert changed(before, **{name: 7}) == replace(before, **{name: 7})
    assert before == CallState(partial_text="so far", attachment=3)


def test_a_field_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="nosuch"):
        changed(CallState(), nosuch=1)
