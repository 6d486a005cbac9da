"""An orchestrator in memory: every chat is answered with what the test has put down."""

import asyncio
from dataclasses import dataclass, field

from voxbus_contracts.config import CallConfig
from voxbus_contracts.events import ChatEnded, ChatLine, ChatRequested
from voxbus_control_api.errors import Unavailable


@dataclass
class AnsweredChat:
    pieces: list[str]
    ended: ChatEnded | Exception
    is_closed: bool = False

    async def next(self) -> str | ChatEnded:
        await asyncio.sleep(0)
        if self.pieces:
            return self.pieces.pop(0)
        if isinstance(self.ended, Exception):
            raise self.ended
        return self.ended

    async def close(self) -> None:
        self.is_closed = True


@dataclass
class Answering:
    """Says `pieces`, then that they were all; `ended` instead if it is set. Notes what it was asked."""

    pieces: list[str] = field(default_factory=lambda: ["Hello ", "you."])
    ended: ChatEnded | Exception | None = None
    is_away: bool = False
    asked: list[tuple[CallConfig, ChatRequested]] = field(default_factory=list)
    chats: list[AnsweredChat] = field(default_factory=list)

    async def ask(self, config: CallConfig, requested: ChatRequested) -> AnsweredChat:
        if self.is_away:
            raise Unavailable("the bus does not answer; try again")
        self.asked.append((config, requested))
        whole = ChatEnded(lines=(ChatLine(role="assistant", content="".join(self.pieces)),))
        self.chats.append(AnsweredChat([*self.pieces], self.ended or whole))
        return self.chats[-1]

    @property
    def read(self) -> list[tuple[str, str]]:
        """Role and content of what was asked last."""
        return [(line.role, line.content) for line in self.asked[-1][1].lines]
