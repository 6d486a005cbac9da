"""The customer's own knowledge: asked before each request to the model, by the public API's `knowledge-base-request`.

Documents become context; a `message` is said in the model's place; without an answer the model answers without it.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

import httpx

from voxbus_contracts.api_model import Server
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.config import CallConfig
from voxbus_contracts.told.shapes import told_call
from voxbus_llm_orchestrator.asking import Answered, Heard, SentenceReady
from voxbus_llm_orchestrator.plan import knowledge_limit_s
from voxbus_llm_orchestrator.saying import sentences_of
from voxbus_providers.model import Turn
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.server_access import UNREACHABLE, UNUSABLE, ServerAccess, TokenRefused, problem_of
from voxbus_runtime.signing import Signed

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
        self._client = client
        self._access = access

    async def ask(self, config: CallConfig, assistant: Assistant, messages: tuple[Turn, ...]) -> Knowledge:
        """NOTHING at once for an assistant without such a server."""
        server = assistant.model.knowledge_server
        if server is None or not server.url:
            return NOTHING
        try:
            async with asyncio.timeout(knowledge_limit_s(server)):
                return read_knowledge(*await self._post(config, server, _body(config, messages)))
        except TimeoutError:
            return Knowledge(problem=f"no answer within {knowledge_limit_s(server):g} s")
        except _Unread as wrong:
            return Knowledge(problem=str(wrong))
        except (AddressRefused, TokenRefused, *UNUSABLE, *UNREACHABLE) as fault:
            return Knowledge(problem=problem_of(fault))

    async def _post(self, config: CallConfig, server: Server, body: bytes) -> tuple[int, bytes]:
        url = server.url or ""
        signed = Signed(url, body, f"{config.call}.knowledge.{unix_ms()}", unix_ms())
        headers = await self._access.headers(server, config.authentication_of(server), signed)
        fixed = {"content-type": "application/json", "x-call-id": config.call}
        request = self._client.build_request("POST", url, content=body, headers=headers | fixed, timeout=None)
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            answer = bytearray()
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > LONGEST_ANSWER_BYTES:
                    raise _Unread(f"it answered more than {LONGEST_ANSWER_BYTES} bytes")
            return response.status_code, bytes(answer)
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._client.aclose()


class _Unread(Exception):
    """An answer that is none; the text quotes nothing of it."""


def read_knowledge(status: int, body: bytes) -> Knowledge:
    """`{"documents": [{"content", "similarity"?}], "message"?}`, the documents in their order. Raises _Unread."""
    if status not in (200, 201):
        raise _Unread(f"it answered with status {status}")
    try:
        answer = json.loads(body)
    except ValueError:
        raise _Unread("it did not answer in JSON") from None
    if not isinstance(answer, dict):
        raise _Unread("its answer is no JSON object")
    listed, message = answer.get("documents"), answer.get("message")
    contents = [each.get("content") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    texts = tuple(each.strip() for each in contents if isinstance(each, str) and each.strip())
    said = message if isinstance(message, str) else (message or {}).get("content") if isinstance(message, dict) else ""
    if not texts and not said and not isinstance(listed, list):
        raise _Unread("its answer has neither documents nor a message")
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


def _body(config: CallConfig, messages: tuple[Turn, ...]) -> bytes:
    plain = [{"role": turn.role, "content": turn.content} for turn in messages if turn.role != "tool"]
    message: dict[str, Any] = {
        "type": "knowledge-base-request",
        "timestamp": unix_ms(),
        "messages": [
            {"role": "bot" if each["role"] == "assistant" else each["role"], "message": each["content"]}
            for each in plain
        ],
        "messagesOpenAIFormatted": plain,
        "call": told_call(config, "in-progress"),
    }
    return json.dumps({"message": message}, ensure_ascii=False).encode()
