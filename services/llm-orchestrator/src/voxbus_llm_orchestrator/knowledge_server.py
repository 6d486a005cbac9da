"""The customer's own knowledge: asked before each request to the model, by the public API's `knowledge-base-request`.

Documents become context; a `message` is said in the model's place; without an answer the model answers without it.
"""

from dataclasses import dataclass
from typing import Any, Final

import httpx

from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_contracts.told.shapes import told_call
from voxbus_llm_orchestrator.asking import Answered, Heard, SentenceReady
from voxbus_llm_orchestrator.customers_server import CustomersServer, NoAnswer, Question
from voxbus_llm_orchestrator.plan import knowledge_limit_s
from voxbus_llm_orchestrator.saying import sentences_of
from voxbus_providers.model import Turn
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.server_access import ServerAccess

LONGEST_ANSWER_BYTES: Final = 1024 * 1024
MOST_CHARACTERS: Final = 20_000
"""Of all documents together; those behind are left out."""
_INTRODUCED: Final = "What follows was looked up for the answer. Use what of it is to the point."


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What came of asking. `problem`: why nothing did, in words without address and answer."""

    documents: tuple[str, ...] = ()
    message: str = ""
    problem: str = ""


NOTHING: Final = Knowledge()


class KnowledgeServer:
    """Asks; never raises. The client has to be one for customers' addresses."""

    def __init__(self, client: httpx.AsyncClient, access: ServerAccess) -> None:
        self._server = CustomersServer(client, access)

    async def ask(self, config: CallConfig, assistant: Assistant, messages: tuple[Turn, ...]) -> Knowledge:
        """NOTHING at once for an assistant without such a server."""
        server = assistant.model.knowledge_server
        if server is None or not server.url:
            return NOTHING
        asked_ms = unix_ms()
        message = _message(config, messages, asked_ms)
        question = Question(message, f"knowledge.{asked_ms}", knowledge_limit_s(server), LONGEST_ANSWER_BYTES)
        try:
            return read_knowledge(await self._server.answer(config, server, question))
        except NoAnswer as why:
            return Knowledge(problem=str(why))

    async def close(self) -> None:
        await self._server.close()


def read_knowledge(answer: Any) -> Knowledge:
    """`{"documents": [{"content", "similarity"?}], "message"?}`, the documents in their order. Raises NoAnswer."""
    if not isinstance(answer, dict):
        raise NoAnswer("its answer is no JSON object")
    listed, message = answer.get("documents"), answer.get("message")
    contents = [each.get("content") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    texts = tuple(each.strip() for each in contents if isinstance(each, str) and each.strip())
    said = message if isinstance(message, str) else (message or {}).get("content") if isinstance(message, dict) else ""
    if not texts and not said and not isinstance(listed, list):
        raise NoAnswer("its answer has neither documents nor a message")
    return Knowledge(texts, said.strip() if isinstance(said, str) else "")


def with_documents(messages: tuple[Turn, ...], documents: tuple[str, ...]) -> tuple[Turn, ...]:
    """The documents stand right before the caller's last words."""
    kept: list[str] = []
    for document in documents:
        if sum(map(len, kept)) + len(document) <= MOST_CHARACTERS:
            kept.append(document)
    if not kept:
        return messages
    last = max((at for at, turn in enumerate(messages) if turn.role == "user"), default=len(messages))
    told = Turn("system", "\n\n".join([_INTRODUCED, *kept]))
    return (*messages[:last], told, *messages[last:])


def said_instead(message: str, said: int) -> list[Heard]:
    """A message in the model's place; its first `said` sentences are on the log already."""
    ready: list[Heard] = [SentenceReady(text, 0, 0) for text in sentences_of(message)[said:]]
    return [*ready, Answered(0, False, None)]


def _message(config: CallConfig, messages: tuple[Turn, ...], now_ms: int) -> dict[str, Any]:
    plain = [{"role": turn.role, "content": turn.content} for turn in messages if turn.role != "tool"]
    return {
        "type": "knowledge-base-request",
        "timestamp": now_ms,
        "messages": [
            {"role": "bot" if each["role"] == "assistant" else each["role"], "message": each["content"]}
            for each in plain
        ],
        "messagesOpenAIFormatted": plain,
        "call": told_call(config, "in-progress"),
    }
