"""How the success of a call is judged: what the model is told of each scale, and what of its answer counts. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from voxbus_contracts.analysis import Rubric


@dataclass(frozen=True, slots=True)
class Scale:
    """`allowed` = words that may be answered, None = the answer counts as it is."""

    told: str
    allowed: tuple[str, ...] | None = None


def _words(*words: str) -> tuple[str, ...]:
    return words


SCALES: Final[Mapping[Rubric, Scale]] = {
    "NumericScale": Scale(
        "A whole number from 1 (the goal was missed) to 10 (it was reached in full).",
        tuple(str(number) for number in range(1, 11)),
    ),
    "DescriptiveScale": Scale("One of: Excellent, Good, Fair, Poor.", _words("Excellent", "Good", "Fair", "Poor")),
    "Checklist": Scale(
        "A list of what the prompt asks of the assistant, a line each, with `met` or `not met` behind it."
    ),
    "Matrix": Scale("For each of several criteria drawn from the prompt a line `criterion: Excellent|Good|Fair|Poor`."),
    "PercentageScale": Scale(
        "A percentage from 0% (nothing was reached) to 100% (everything).",
        tuple(f"{number}%" for number in range(101)),
    ),
    "LikertScale": Scale(
        "How far you agree that the goal was reached: Strongly Agree, Agree, Neutral, Disagree, Strongly Disagree.",
        _words("Strongly Agree", "Strongly Disagree", "Agree", "Neutral", "Disagree"),
    ),
    "AutomaticRubric": Scale(
        "Draw the criteria from the prompt yourself, give each a line with a score from 1 to 10, then `overall:`."
    ),
    "PassFail": Scale("`true` if the goal was reached, `false` if it was missed.", _words("true", "false")),
}


def read_evaluation(rubric: Rubric, answer: str) -> str | None:
    """The value in a model's answer, None where there is not exactly one."""
    allowed = SCALES[rubric].allowed
    text = answer.strip()
    if allowed is None:
        return text or None
    by_length = sorted(allowed, key=len, reverse=True)
    pattern = "|".join(rf"(?<![\w.]){re.escape(each)}(?![\w%])" for each in by_length)
    spelled = {each.lower(): each for each in allowed}
    found = {spelled[each.lower()] for each in re.findall(pattern, text, re.IGNORECASE)}
    return found.pop() if len(found) == 1 else None
