"""The conversation of a chat: as the model sees it, and as it is told to whoever asked. Pure."""

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.events import ChatLine, ChatToolCall
from voxbus_llm_orchestrator.chat.state import ChatState
from voxbus_llm_orchestrator.conversation import cut_off, prompt_of, turns_of_reply
from voxbus_providers.model import ToolCall, Turn


def turns_for(state: ChatState, assistant: Assistant, reply: int, *, goes_on: bool) -> tuple[Turn, ...]:
    """Prompt, conversation and the replies before `reply`.

    `goes_on`: the model is to continue what it has written of this reply already; else it is asked as the first time.
    """
    turns = prompt_of(assistant)
    if state.request is not None:
        turns += [_turn(line) for line in state.request.lines]
    for number in sorted(state.core.replies):
        if number < reply:
            turns += _of_reply(state, number)
    written = state.written(reply)
    if goes_on and written:
        turns += cut_off(written)
    return tuple(turns)


def said_so_far(state: ChatState) -> list[Turn]:
    """The conversation without the prompt and without what is being answered."""
    before = [_turn(line) for line in state.request.lines] if state.request is not None else []
    earlier = sorted(state.core.replies)[:-1]
    return [*before, *(turn for number in earlier for turn in _of_reply(state, number))]


def output_lines(state: ChatState) -> tuple[ChatLine, ...]:
    """All that the assistant has added to the conversation, in order."""
    return tuple(_line(turn) for number in sorted(state.core.replies) for turn in _of_reply(state, number))


def _of_reply(state: ChatState, number: int) -> list[Turn]:
    return turns_of_reply(state.core, state.core.replies[number], state.written(number))


def _turn(line: ChatLine) -> Turn:
    calls = tuple(ToolCall(call.id, call.name, call.arguments) for call in line.tool_calls)
    return Turn(line.role, line.content, calls, line.tool_call_id, line.tool_name, line.failed)


def _line(turn: Turn) -> ChatLine:
    return ChatLine(
        role=turn.role,
        content=turn.content,
        tool_calls=tuple(
            ChatToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in turn.tool_calls
        ),
        tool_call_id=turn.tool_call_id,
        tool_name=turn.tool_name,
        failed=turn.failed,
    )
