"""The customer's own endpointing server: a POST with the conversation, an answer in seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from voxbus_contracts.api_model import Server
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_llm_orchestrator.customers_server import CustomersServer, NoAnswer, Question
from voxbus_runtime.server_access import ServerAccess

DEADLINE_S: Final = 1.0
"""The caller is silent meanwhile, so a server's own `timeoutSeconds` only counts below this."""

LONGEST_ANSWER_BYTES: Final = 10_000
LONGEST_TIMEOUT_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Advice:
    """What came of asking about a transcript: a wait, ms, or why there is none."""

    transcript_seq: int
    wait_ms: int | None = None
    problem: str = ""


class EndpointingServer:
    """Asks; never raises. The client has to be one for customers' addresses."""

    def __init__(self, client: httpx.AsyncClient, access: ServerAccess, now_s: Callable[[], float] = time.time) -> None:
        self._server = CustomersServer(client, access)
        self._now_s = now_s

    async def ask(
        self, config: CallConfig, assistant: Assistant, transcript_seq: int, messages: list[dict[str, str]]
    ) -> Advice:
        """`{"timeoutSeconds": 0.5}` → 500 ms. A problem is told without the address and the answer."""
        server = server_of(assistant)
        message = {
            "type": "call.endpointing.request",
            "timestamp": int(self._now_s() * 1000),
            "messagesOpenAIFormatted": messages,
            "call": {"id": config.call, "orgId": config.org},
        }
        within_s = min(DEADLINE_S, server.timeout_seconds)
        question = Question(message, f"endpointing.{transcript_seq}", within_s, LONGEST_ANSWER_BYTES)
        try:
            return Advice(transcript_seq, wait_ms=read_wait(await self._server.answer(config, server, question)))
        except NoAnswer as why:
            return Advice(transcript_seq, problem=str(why))

    async def close(self) -> None:
        await self._server.close()


def server_of(assistant: Assistant) -> Server:
    """The plan's server, else the assistant's."""
    smart = assistant.start_speaking_plan.smart
    own = smart.server if smart else None
    return own if own and own.url else assistant.server or Server()


def read_wait(answer: Any) -> int:
    """ms. Raises NoAnswer."""
    seconds = answer.get("timeoutSeconds") if isinstance(answer, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise NoAnswer("its answer has no number timeoutSeconds")
    if not 0 <= seconds <= LONGEST_TIMEOUT_S:
        raise NoAnswer(f"its timeoutSeconds is not between 0 and {LONGEST_TIMEOUT_S:g}")
    return round(seconds * 1000)
