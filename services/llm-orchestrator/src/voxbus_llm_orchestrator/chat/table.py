"""The table of a chat: rows of its own, and those of a call that are about tools. The first that decides wins.

Times are ms since the chat was created, which takes the place of the audio clock. As on a call every row looks at the
state alone: a worker that takes the chat over asks the table and does what is outstanding, nothing twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from voxbus_contracts.events import ChatEnded, ChatWorded, FaultRaised, ReplyGenerated, ReplyStarted
from voxbus_llm_orchestrator import rows_acts, rows_reply, rows_supervisor
from voxbus_llm_orchestrator.answering import Failure, asked_again
from voxbus_llm_orchestrator.chat.lines import output_lines, said_so_far
from voxbus_llm_orchestrator.chat.state import ChatState
from voxbus_llm_orchestrator.decision import At, Decide, DropModel, Out, View
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.state import Reply

MOST_REPLIES: Final = 12
"""A model that calls tools again and again is stopped here: the answer has failed."""


@dataclass(frozen=True, slots=True)
class ChatView:
    """The state, and what only the running process knows. `answer_by_ms`, `now_ms`: since the chat was created.

    `asking` = reply the model is being asked for right now, 0 = none; `heard_ms` = when it last said something.
    """

    state: ChatState
    plan: Plan
    now_ms: int
    answer_by_ms: int
    asking: int = 0
    heard_ms: int = 0

    @property
    def of_call(self) -> View:
        return View(self.state.core, self.plan, self.now_ms, self.asking)


def decide(view: ChatView) -> Decide | At | None:
    """What to do now; or when to look again; or None: only something new can change anything."""
    if view.state.is_over or view.state.request is None:
        return None
    wakes: list[int] = []
    for row in _TABLE:
        answer = row(view)
        if isinstance(answer, Decide):
            return answer
        if answer is not None:
            wakes.append(answer.pts_ms)
    return At(min(wakes)) if wakes else None


def failed(view: ChatView, reply: int, failure: Failure) -> list[Out]:
    """The model could not answer: somebody is asked again where that may help, else the chat has failed."""
    known = view.state.core.replies.get(reply)
    if known is None or known.generated or view.state.is_over:
        return []
    fault = FaultRaised(code=failure.code, detail=failure.detail, retryable=failure.retryable)
    if (again := asked_again(view.state.core, view.plan, reply, failure, view.now_ms)) is not None:
        return [fault, again]
    return [fault, _ended_by(view, failure.code, failure.detail)]


def worded(view: ChatView, reply: int, text: str) -> list[Out]:
    """The model has written something."""
    known = view.state.core.replies.get(reply)
    if known is None or known.generated or view.state.is_over or not text:
        return []
    return [ChatWorded(reply=reply, piece=len(view.state.words.get(reply, ())) + 1, text=text)]


def generated(view: ChatView, reply: int, first_token_ms: int, end_call: bool) -> list[Out]:
    """The model has written all. A farewell without words gets the assistant's own."""
    known = view.state.core.replies.get(reply)
    if known is None or known.generated or view.state.is_over:
        return []
    farewell = view.plan.end_call_message if end_call and not view.state.written(reply) else ""
    done = ReplyGenerated(reply=reply, utterances=(), first_token_ms=max(0, first_token_ms), end_call=end_call)
    return [*worded(view, reply, farewell), done]


# --- rows ---


def _give_up(view: ChatView) -> Decide | At:
    """Nobody waits any longer than this."""
    if view.now_ms < view.answer_by_ms:
        return At(view.answer_by_ms)
    waits_for = "a tool" if any(not tool.finished for tool in view.state.core.tools.values()) else "the model"
    ended = _ended_by(view, "too-slow", f"{waits_for} took longer than {view.answer_by_ms / 1000:g} s")
    return Decide("too-slow", (DropModel(), ended))


def _begin(view: ChatView) -> Decide | None:
    if view.state.core.replies:
        return None
    return Decide("asked", (ReplyStarted(reply=1, turn=1, source="model", pts_ms=max(0, view.now_ms)),))


def _end(view: ChatView) -> Decide | None:
    """The latest reply is whole and calls no tool, or says that this was all."""
    latest = _latest(view)
    if latest is None or not latest.generated:
        return None
    is_last = latest.end_call and all(view.state.core.tools[call_id].finished for call_id in latest.tools)
    if latest.tools and not is_last:
        return None
    return Decide("answered", (ChatEnded(lines=output_lines(view.state), end_call=latest.end_call),))


def _stop_going_round(view: ChatView) -> Decide | None:
    latest = _latest(view)
    if latest is None or not latest.generated or len(view.state.core.replies) < MOST_REPLIES:
        return None
    return Decide("going-round", (_ended_by(view, "too-many-tools", f"the model called tools {MOST_REPLIES} times"),))


def _retry_model(view: ChatView) -> Decide | At | None:
    """The model says nothing, or stopped in the middle: it is asked once more, then given up."""
    number = max(view.state.core.replies, default=0)
    latest = _latest(view)
    if latest is None or latest.generated:
        return None
    until = max(latest.asked_pts_ms, view.heard_ms) + view.plan.model_patience_ms
    if view.now_ms < until:
        return At(until)
    silence = f"{view.plan.model_provider}: nothing for {view.plan.model_patience_ms} ms"
    return Decide("model-slow", (DropModel(), *failed(view, number, Failure("model-slow", silence, True))))


def _latest(view: ChatView) -> Reply | None:
    replies = view.state.core.replies
    return replies[max(replies)] if replies else None


def _ended_by(view: ChatView, error: str, detail: str) -> ChatEnded:
    return ChatEnded(lines=output_lines(view.state), error=error, detail=detail)


_Row = Callable[[ChatView], Decide | At | None]

_TABLE: tuple[_Row, ...] = (
    _end,
    _give_up,
    _begin,
    lambda view: rows_acts.discover_tools(view.of_call),
    lambda view: rows_acts.reject_tool(view.of_call, said_so_far(view.state)),
    lambda view: rows_acts.refuse_in_chat(view.of_call),
    lambda view: rows_reply.order_tools(view.of_call),
    lambda view: rows_supervisor.give_up_tool(view.of_call),
    _stop_going_round,
    lambda view: rows_reply.answer_tools(view.of_call),
    _retry_model,
    lambda view: rows_reply.ask_model(view.of_call),
)
