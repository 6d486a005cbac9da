"""The conversation as the model sees it: what was said and heard, tools and their results."""

from collections.abc import Callable
from typing import Final

from voxbus_contracts.assistant import Assistant
from voxbus_llm_orchestrator.carrying import Carried
from voxbus_llm_orchestrator.state import CallState, Item, Reply
from voxbus_llm_orchestrator.tools_running import is_said_while_running, said_of_tools
from voxbus_providers.model import Role, ToolCall, Turn

FILLER = "filler"
"""Source of what is said while the model or a tool takes its time; no model needs to know of it."""

NO_ANSWER_YET = "No answer yet."
_CUT_OFF = "You were cut off after the words above. Go on from there; repeat nothing."

Prompts = Callable[[str], list[Turn]]
"""The prompt of an assistant of the call, by its key."""


def _no_prompts(_key: str) -> list[Turn]:
    return []


NO_PROMPTS: Final[Prompts] = _no_prompts


def messages_for(state: CallState, assistant: Assistant, reply: int, prompts: Prompts = NO_PROMPTS) -> tuple[Turn, ...]:
    """Everything before `reply`, and what this reply has said already when its first worker was lost.

    An answer that is being prepared answers what the caller was understood to have said so far.
    """
    turns = _before(state, assistant, reply, prompts)
    if reply not in state.replies:
        return (*turns, Turn("user", state.speculations[reply].text))
    said = said_so_far(state, state.replies[reply])
    if said:
        turns += cut_off(" ".join(said))
    return tuple(turns)


def cut_off(said: str) -> list[Turn]:
    """Has a model go on with an answer it did not finish."""
    return [Turn("assistant", said), Turn("system", _CUT_OFF)]


def openai_messages(state: CallState, assistant: Assistant, text: str) -> list[dict[str, str]]:
    """The conversation with what the caller has just said, as the public API shows it to customers' servers."""
    turns = [turn for turn in _before(state, assistant) if turn.role != "tool"]
    return [{"role": turn.role, "content": turn.content} for turn in (*turns, Turn("user", text))]


def without_continuation(messages: tuple[Turn, ...], said: int) -> tuple[Turn, ...]:
    """For a model that says the same again: it is asked as the first time, and what was said is left out."""
    return messages[:-2] if said else messages


def said_so_far(state: CallState, reply: Reply) -> list[str]:
    """Sentences already ordered for a reply, each once although the voice may have been asked for it again."""
    return [state.utterances[seq].text for seq in reply.utterances if not state.utterances[seq].repeats]


def said_before(state: CallState, reply: int) -> list[Turn]:
    """What was said, without the prompt and without one reply."""
    items = (item for item in state.items if item.kind != "handoff")
    return [turn for item in items if item.kind != "reply" or item.number != reply for turn in _of_item(state, item)]


def _before(state: CallState, assistant: Assistant, reply: int = 0, prompts: Prompts = NO_PROMPTS) -> list[Turn]:
    """The prompt and everything said, but for one reply; after a handoff what was carried over it."""
    carried = Carried()
    for item in state.items:
        if item.kind == "handoff":
            handoff = state.handoffs[item.number]
            carried.hand_over(handoff, prompts(handoff.before))
        elif item.kind != "reply" or item.number != reply:
            carried.turns += _of_item(state, item, as_generated=assistant.model_output_in_messages_enabled)
    return carried.with_prompt(prompt_of(assistant))


def _of_item(state: CallState, item: Item, *, as_generated: bool = False) -> list[Turn]:
    """What was heard of an answer, or all that the model said of it."""
    if item.kind == "turn":
        return [Turn("user", state.turns[item.number].text)]
    if item.kind == "added":
        return [Turn(_role(item.role), item.content)]
    reply = state.replies[item.number]
    if reply.source == FILLER or is_said_while_running(reply.cause):
        return []
    is_heard = reply.ended and not as_generated
    text = reply.heard if is_heard else " ".join(said_so_far(state, reply))
    if reply.tools:  # what was said while they ran belongs before their results
        text = " ".join([text, *said_of_tools(state, reply.tools)]).strip()
    return turns_of_reply(state, reply, text)


def prompt_of(assistant: Assistant) -> list[Turn]:
    """What the assistant's model is told before any conversation."""
    return [Turn(_role(m.role), m.content or "") for m in assistant.model.messages]


def turns_of_reply(state: CallState, reply: Reply, text: str) -> list[Turn]:
    """What the assistant said and the tools it called, then what these answered."""
    if not text and not reply.tools:
        return []
    calls = tuple(
        ToolCall(call_id, state.tools[call_id].name, dict(state.tools[call_id].arguments)) for call_id in reply.tools
    )
    results = [
        Turn("tool", tool.result, tool_call_id=call_id, tool_name=tool.name, failed=tool.failed)
        if (tool := state.tools[call_id]).finished
        else Turn("tool", NO_ANSWER_YET, tool_call_id=call_id, tool_name=tool.name)
        for call_id in reply.tools
    ]
    return [Turn("assistant", text, tool_calls=calls), *results]


def _role(role: str) -> Role:
    match role:
        case "system" | "user" | "assistant":
            return role
        case "bot":
            return "assistant"
        case _:
            return "system"
