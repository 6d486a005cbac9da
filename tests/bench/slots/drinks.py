"""An assistant that takes orders of drinks, written from the values its tool knows; how its orders are scored.

No sentence of the recordings is in it: sizes, roasts, shots, drinks, and how much of which milk and sugar.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

AMOUNTS: Final = ("a little bit of", "a bit of", "a lot of", "lots of", "some")
MILKS: Final = ("skim milk", "whole milk", "soy milk", "almond milk", "milk", "cream")
SWEETS: Final = ("brown sugar", "sugar", "sweetener")
VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "coffeeDrink": (
        "drip coffee",
        "iced coffee",
        "house coffee",
        "iced mocha",
        "mocha",
        "espresso",
        "cappuccino",
        "latte",
        "americano",
        "coffee",
    ),
    "size": ("small", "medium", "large", "eight ounce", "twelve ounce", "sixteen ounce", "twenty ounce"),
    "roast": ("light roast", "medium roast", "dark roast"),
    "numberOfShots": ("single shot", "double shot", "triple shot"),
    "milkAmount": tuple(f"{amount} {milk}".strip() for amount in (*AMOUNTS, "") for milk in MILKS),
    "sugarAmount": tuple(f"{amount} {sweet}".strip() for amount in (*AMOUNTS, "") for sweet in SWEETS),
}
TOOL: Final = "order_drink"


def assistant(tool_url: str) -> dict[str, Any]:
    """Fills the tool's arguments from whatever the caller names, in any order."""
    anything = "|".join(value for values in VALUES.values() for value in values)
    rules = [
        {
            "when": "".join(_look_ahead(slot, values) for slot, values in VALUES.items()) + rf".*\b(?:{anything})\b",
            "call": {"name": TOOL, "arguments": {slot: f"{{{{{slot}}}}}" for slot in VALUES}},
            "set": dict.fromkeys(VALUES, ""),
        },
        {"afterTool": TOOL, "say": "It is ordered."},
    ]
    properties = {slot: {"type": "string", "enum": list(values)} for slot, values in VALUES.items()}
    function = {"name": TOOL, "parameters": {"type": "object", "properties": properties}}
    return {
        "firstMessageMode": "assistant-waits-for-user",
        "model": {
            "provider": "vapi",
            "model": "scripted",
            "script": {"rules": rules, "otherwise": "Which drink would you like?"},
            "tools": [{"type": "function", "function": function, "server": {"url": tool_url}}],
        },
        "startSpeakingPlan": {"waitSeconds": 0, "transcriptionEndpointingPlan": {"onNoPunctuationSeconds": 1.5}},
    }


def _look_ahead(slot: str, values: Iterable[str]) -> str:
    """The slot if it is named anywhere; a medium roast is no size."""
    but = "(?! roast)" if slot == "size" else ""
    return rf"(?=.*?\b(?P<{slot}>{'|'.join(values)})\b{but}|)"


@dataclass(slots=True)
class Score:
    """Slots of the recordings, and arguments the tool got. A wrong value misses its slot and is one too many, too."""

    wanted: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    filled: int = 0
    extra: int = 0
    recordings: int = 0
    whole: int = 0

    def add(self, labels: Mapping[str, str], arguments: Mapping[str, str]) -> None:
        given = {slot: value for slot, value in arguments.items() if value}
        for slot, value in labels.items():
            self.wanted[slot] += 1
            self.right[slot] += given.get(slot) == value
        self.filled += len(given)
        self.extra += sum(labels.get(slot) != value for slot, value in given.items())
        self.recordings += 1
        self.whole += given == dict(labels)

    @property
    def recall(self) -> float:
        return sum(self.right.values()) / max(1, sum(self.wanted.values()))

    @property
    def extra_share(self) -> float:
        """Of the arguments that were filled."""
        return self.extra / max(1, self.filled)

    def lines(self) -> list[str]:
        total = sum(self.wanted.values())
        said = [
            f"{sum(self.right.values())} of {total} slots ({self.recall:.1%}),"
            f" {self.extra} of {self.filled} arguments too many or wrong ({self.extra_share:.1%}),"
            f" {self.whole} of {self.recordings} orders without any fault"
        ]
        return said + [f"  {slot:14} {self.right[slot]:3} of {self.wanted[slot]:3}" for slot in VALUES]


def merged(orders: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """What was ordered in one call: a later order adds to and replaces what the earlier ones said."""
    found: dict[str, str] = {}
    for order in orders:
        found |= {slot: re.sub(r"\s+", " ", value) for slot, value in order.items() if value}
    return found
