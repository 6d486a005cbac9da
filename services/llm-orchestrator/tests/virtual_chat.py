"""A chat in virtual time: the table as it is, a model and tools that answer by a timetable, workers that may die."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from voxbus_contracts import commands as c
from voxbus_contracts import events as e
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.message import Message
from voxbus_llm_orchestrator import answering
from voxbus_llm_orchestrator.chat import table
from voxbus_llm_orchestrator.chat.state import ChatState, apply_chat
from voxbus_llm_orchestrator.decision import AskModel, At, Decide, DropModel, Out
from voxbus_llm_orchestrator.plan import Plan

Parts = list[Any]
"""Of an answer: texts, or (tool, arguments); an exception breaks it off."""

ASSISTANT = Assistant.model_validate({"model": {"messages": [{"role": "system", "content": "Be kind."}]}})


@dataclass
class VirtualChat:
    """`answers` by reply; one part a `part_ms`. A tool takes `tool_ms`. At `dies_at_ms` the worker is gone, the next
    one comes `away_ms` later and knows only the log."""

    answers: list[Parts]
    part_ms: int = 20
    tool_ms: int = 300
    answer_by_ms: int = 30_000
    dies_at_ms: tuple[int, ...] = ()
    away_ms: int = 1_500
    plan: Plan = field(default_factory=Plan)
    hangs: frozenset[int] = frozenset()
    """Requests to the model, counted from 0, that never come to anything."""
    ends_call: bool = False
    log: list[Message] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    now_ms: int = 0

    def run(self) -> ChatState:
        """Until the chat is over; fails when it never is."""
        lines = (e.ChatLine(role="user", content="hi"),)
        self.log.append(e.ChatRequested(lines=lines, answer_by_ms=self.answer_by_ms))
        self._coming: list[tuple[int, Message]] = []
        deaths = [*self.dies_at_ms, 10**9]
        for dies_ms in deaths:
            state = self._worker(dies_ms)
            if state.is_over:
                return state
            self.now_ms = max(self.now_ms, dies_ms) + self.away_ms
        raise AssertionError("the chat is never over")

    def _worker(self, dies_ms: int) -> ChatState:
        self.state = ChatState()
        for message in self.log:
            self.state = apply_chat(self.state, message)
        self.asking, self.heard_ms = 0, self.now_ms
        self.parts: list[tuple[int, Callable[[], list[Out]]]] = []
        while not self.state.is_over and self.now_ms < dies_ms:
            wake_ms = self._settle()
            times = [at for at, _ in self._coming] + [at for at, _ in self.parts[:1]]
            if self.state.is_over:
                break
            until = min([*times, *([wake_ms] if wake_ms is not None else [])], default=None)
            assert until is not None, "nothing is ever going to happen"
            self.now_ms = max(self.now_ms, min(until, dies_ms))
            if self.now_ms >= dies_ms:
                break
            self._happen()
        return self.state

    def _happen(self) -> None:
        due = [each for each in self._coming if each[0] <= self.now_ms]
        self._coming = [each for each in self._coming if each[0] > self.now_ms]
        for _, message in due:
            self._log(message)
        while self.parts and self.parts[0][0] <= self.now_ms:
            self.heard_ms = self.now_ms
            self._carry_out(self.parts.pop(0)[1]())

    def _settle(self) -> int | None:
        for _ in range(100):
            answer = table.decide(self._view())
            if not isinstance(answer, Decide):
                return answer.pts_ms if isinstance(answer, At) else None
            self._carry_out(list(answer.outs))
        raise AssertionError("the table does not come to rest")

    def _view(self) -> table.ChatView:
        return table.ChatView(self.state, self.plan, self.now_ms, self.answer_by_ms, self.asking, self.heard_ms)

    def _carry_out(self, outs: list[Out]) -> None:
        for out in outs:
            match out:
                case AskModel(reply):
                    self._ask(reply)
                case DropModel():
                    self.asking, self.parts = 0, []
                case Message():
                    self._log(out)
                case _:
                    raise AssertionError(out)

    def _log(self, message: Message) -> None:
        self.log.append(message)
        self.state = apply_chat(self.state, message)
        if isinstance(message, c.RunTool):
            finished = e.ToolFinished(
                tool_call_id=message.tool_call_id, tool_name=message.tool_name, result="done", duration_ms=1
            )
            self._coming.append((self.now_ms + self.tool_ms, finished))

    def _ask(self, reply: int) -> None:
        """As a model that says the same again: what is logged of the answer is left out."""
        self.asking, self.heard_ms = reply, self.now_ms
        self.requests.append(reply)
        if len(self.requests) - 1 in self.hangs:
            return
        written, tools = self.state.written(reply), len(self.state.core.replies[reply].tools)
        at_ms = self.now_ms
        for part in self.answers[reply - 1]:
            at_ms += self.part_ms
            if isinstance(part, str):
                fresh, written = part[len(written) :], written[len(part) :]
                self.parts.append((at_ms, lambda text=fresh: table.worded(self._view(), reply, text)))
            elif isinstance(part, tuple):
                tools -= 1
                if tools < 0:
                    self.parts.append((at_ms, lambda wanted=part: self._wants(reply, wanted)))
            else:
                self.parts.append((at_ms, lambda problem=part: self._fails(reply, problem)))
                return
        self.parts.append((at_ms + self.part_ms, lambda: self._done(reply)))

    def _wants(self, reply: int, wanted: tuple[str, dict[str, Any]]) -> list[Out]:
        return answering.wants_tool(self.state.core, reply, *wanted, self.now_ms)

    def _done(self, reply: int) -> list[Out]:
        self.asking = 0
        return table.generated(self._view(), reply, 1, end_call=self.ends_call)

    def _fails(self, reply: int, failure: answering.Failure) -> list[Out]:
        self.asking, self.parts = 0, []
        return table.failed(self._view(), reply, failure)

    def all_of(self, kind: type[Message]) -> list[Any]:
        return [message for message in self.log if isinstance(message, kind)]

    @property
    def ended(self) -> e.ChatEnded:
        (ended,) = self.all_of(e.ChatEnded)
        return ended
