"""The model of a virtual call: answers by a timetable, and is heard as the shell hears one."""

from collections.abc import Callable
from typing import Any

from voxbus_llm_orchestrator import answering
from voxbus_llm_orchestrator.asking import Answered, Heard, SentenceReady, ToolWanted
from voxbus_llm_orchestrator.decision import NOTHING_SPENT, Out, Spent
from voxbus_llm_orchestrator.plan import Plan
from voxbus_llm_orchestrator.saying import Spoken
from voxbus_llm_orchestrator.speculation import may_go_ahead
from voxbus_llm_orchestrator.spending import after
from voxbus_llm_orchestrator.state import CallState


class VirtualModel:
    """`answers` are its replies in order, each sentences or (tool, arguments); `answer_to` makes one from what
    the caller said instead.
    """

    def __init__(self, plan: Plan, answers: list[list[object]] | None = None) -> None:
        self.plan = plan
        self.now_ms = 0
        self.state = CallState()
        self.answers = answers or []
        self.answer_to: Callable[[str], list[Any]] | None = None
        self.model_delay_ms = 50
        self.hanging: set[int] = set()
        """Requests, counted from 0, that are never answered."""
        self.prompt_tokens = 100
        self.asking = 0
        self.asked: list[str] = []
        self.asked_ms = 0
        self.waiting: list[Heard] = []
        self.spent = NOTHING_SPENT
        self._asked = 0
        self._before = (0, 0)

    def carry_out(self, outs: list[Out]) -> None:
        raise NotImplementedError

    def ask(self, reply: int) -> None:
        self.asked_all()
        self.asking, self.asked_ms = reply, self.now_ms
        self.asked.append(self._prompted(reply))
        known = self.state.replies.get(reply)
        self._before = (len(known.utterances), len(known.tools)) if known else (0, 0)
        self.spent = Spent(self.prompt_tokens)

    def _prompted(self, reply: int) -> str:
        if reply in self.state.replies:
            turn = self.state.turns.get(self.state.replies[reply].turn)
            return turn.text if turn else ""
        return self.state.speculations[reply].text

    def answer(self, reply: int) -> None:
        if self.asking != reply:
            return
        if self._asked in self.hanging:
            self._asked += 1
            return
        if self.answer_to is not None:
            parts = self.answer_to(self.asked[-1])
        else:
            parts = self.answers[self._asked] if self._asked < len(self.answers) else ["Yes."]
        self._asked += 1
        said, tools = self._before
        for part in parts:
            if said if isinstance(part, str) else tools:
                said, tools = (said - 1, tools) if isinstance(part, str) else (said, tools - 1)
                continue
            self._hear(
                reply, SentenceReady(part, self.model_delay_ms, 0) if isinstance(part, str) else ToolWanted(*part)
            )
        self._hear(reply, Answered(10, False, None))

    def _hear(self, reply: int, heard: Heard) -> None:
        """As the shell does."""
        if not answering.is_wanted(self.state, reply):
            return
        self.spent = after(self.spent, heard)
        if not may_go_ahead(self.state, reply, heard, self.waiting):
            self.waiting.append(heard)
            return
        match heard:
            case SentenceReady():
                hold = reply == self.state.speculating
                turn = (self.state.speculations if hold else self.state.replies)[reply].turn
                spoken = Spoken(
                    reply,
                    turn,
                    model_ms=heard.first_token_ms,
                    asked_pts_ms=self.asked_ms,
                    hold=hold,
                    pts_ms=self.now_ms,
                )
                self.carry_out(answering.said(self.state, self.plan, spoken, heard.text))
            case ToolWanted():
                self.carry_out(answering.wants_tool(self.state, reply, heard.name, heard.arguments, self.now_ms))
            case Answered():
                self.asked_all()
                self.carry_out(
                    answering.generated(self.state, self.plan, reply, 10, end_call=False, now_ms=self.now_ms)
                )

    def asked_all(self) -> None:
        self.asking, self.spent, self.waiting = 0, NOTHING_SPENT, []

    def go_on_with_what_waited(self) -> None:
        reply = self.asking
        if self.waiting and reply != self.state.speculating:
            waiting, self.waiting = self.waiting, []
            for heard in waiting:
                self._hear(reply, heard)
