"""What every language model of Voxbus has to do, whatever is behind it.

A provider's test derives from ModelConformance, and gives it two fixtures: `model`, and `prepare`, which makes the
model answer a given request in a given way.
"""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from voxbus_contracts.tool import FunctionSchema, Tool
from voxbus_providers.model import (
    EndOfCall,
    LanguageModel,
    ModelPart,
    ModelRequest,
    ModelUsage,
    TextDelta,
    ToolCall,
    Turn,
)

TOOLS = (
    Tool(type="function", function=FunctionSchema(name="order_status", description="Where an order is")),
    Tool(type="endCall"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the model is to answer when the last message is `heard`."""

    heard: str
    text: str = ""
    call: tuple[str, dict[str, Any]] | None = None
    end_call: bool = False
    history: tuple[Turn, ...] = ()

    @property
    def messages(self) -> tuple[Turn, ...]:
        return (Turn("system", "You are a test."), *self.history, Turn("user", self.heard))


Prepare = Callable[[Wanted], ModelRequest]
"""Makes the model answer like that; gives the request to ask it with. `tools` has to be TOOLS."""


async def parts_of(model: LanguageModel, request: ModelRequest) -> list[ModelPart]:
    return [part async for part in model.stream(request)]


def text_of(parts: list[ModelPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextDelta))


class ModelConformance:
    """The suite."""

    async def test_text_arrives_complete_and_in_more_than_one_piece(
        self, model: LanguageModel, prepare: Prepare
    ) -> None:
        text = "Déjà vu: order 4711 costs 3.50 €, <flush /> and it ships  on Friday. 👍 Is that all?"
        parts = await parts_of(model, prepare(Wanted("Where is it?", text)))
        assert text_of(parts) == text
        assert sum(isinstance(part, TextDelta) for part in parts) > 1

    async def test_usage_comes_once_and_last(self, model: LanguageModel, prepare: Prepare) -> None:
        parts = await parts_of(model, prepare(Wanted("Hello.", "Hello to you.")))
        usages = [part for part in parts if isinstance(part, ModelUsage)]
        assert [parts[-1]] == usages
        assert usages[0].prompt_tokens > 0
        assert usages[0].completion_tokens > 0

    async def test_a_tool_call_comes_with_its_arguments_after_the_text(
        self, model: LanguageModel, prepare: Prepare
    ) -> None:
        arguments = {"order": "4711", "lines": [{"number": 1, "note": 'a "quoted" ü'}], "urgent": True}
        request = prepare(Wanted("Check it.", "One moment.", ("order_status", arguments)))
        parts = await parts_of(model, request)
        calls = [part for part in parts if isinstance(part, ToolCall)]
        assert [(call.name, call.arguments) for call in calls] == [("order_status", arguments)]
        assert text_of(parts) == "One moment."
        assert all(isinstance(part, TextDelta) for part in parts[: parts.index(calls[0])])

    async def test_a_tool_call_needs_no_text(self, model: LanguageModel, prepare: Prepare) -> None:
        parts = await parts_of(model, prepare(Wanted("Check it.", call=("order_status", {}))))
        assert [type(part) for part in parts] == [ToolCall, ModelUsage]

    async def test_the_end_of_the_call_follows_the_goodbye(self, model: LanguageModel, prepare: Prepare) -> None:
        parts = await parts_of(model, prepare(Wanted("Bye.", "Have a nice day.", end_call=True)))
        assert text_of(parts) == "Have a nice day."
        assert [type(part) for part in parts if not isinstance(part, TextDelta)] == [EndOfCall, ModelUsage]

    async def test_a_conversation_with_tool_answers_is_taken_as_history(
        self, model: LanguageModel, prepare: Prepare
    ) -> None:
        call = ToolCall("call_1_1", "order_status", {"order": "4711"})
        history = (
            Turn("user", "Where is order 4711?"),
            Turn("assistant", "", tool_calls=(call,)),
            Turn("tool", "no such order", tool_call_id="call_1_1", tool_name="order_status", failed=True),
            Turn("assistant", "There is no such"),
        )
        parts = await parts_of(model, prepare(Wanted("What?", "There is no such order.", history=history)))
        assert text_of(parts) == "There is no such order."

    async def test_a_reply_that_is_broken_off_leaves_the_model_in_order(
        self, model: LanguageModel, prepare: Prepare
    ) -> None:
        broken_off = prepare(Wanted("Tell me a story.", "Once upon a time there was a caller who broke in."))
        async with aclosing(cast(Any, model.stream(broken_off))) as reply:
            assert isinstance(await anext(reply), TextDelta)
        parts = await parts_of(model, prepare(Wanted("Stop.", "All right.")))
        assert text_of(parts) == "All right."

    async def test_replies_at_the_same_time_do_not_mix(self, model: LanguageModel, prepare: Prepare) -> None:
        texts = {"One.": "First answer of one.", "Two.": "Second answer of two."}
        one, two = (model.stream(prepare(Wanted(heard, text))) for heard, text in texts.items())
        said = ["", ""]
        waiting = [(0, one), (1, two)]
        while waiting:
            for which, reply in tuple(waiting):
                part = await anext(reply, None)
                said[which] += part.text if isinstance(part, TextDelta) else ""
                waiting = [other for other in waiting if part is not None or other[0] != which]
        assert said == list(texts.values())
