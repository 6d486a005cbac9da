"""Runs one tool: asks the customer's server, within limits."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import httpx
from pydantic import SecretStr

from voxbus_contracts import CallRef
from voxbus_contracts.commands import RunTool
from voxbus_contracts.config import CallConfig
from voxbus_contracts.tool import VariableExtractionPlan
from voxbus_runtime.bus import unix_ms
from voxbus_runtime.errors import AddressRefused, BadSeal, ConfigMissing
from voxbus_runtime.extraction import extracted
from voxbus_runtime.sealing import open_seal
from voxbus_runtime.templates import variables_of
from voxbus_tool_runner.answer import Answer, read_answer
from voxbus_tool_runner.errors import (
    BadAnswer,
    ServerRefused,
    ServerTooSlow,
    ServerUnreachable,
    ToolUnknown,
)
from voxbus_tool_runner.selection import Target, message_of, target_of


class Configs(Protocol):
    """Where configurations of calls are kept."""

    async def read_config(self, ref: CallRef) -> CallConfig | None: ...


@dataclass(frozen=True, slots=True)
class Job:
    """A tool ready to run: the request with its secrets opened, and its limits."""

    tool_call_id: str
    url: str
    headers: dict[str, str]
    body: dict[str, Any]
    timeout_s: float
    is_async: bool
    extraction: VariableExtractionPlan | None = None
    known: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Variables that templates of the extraction know."""


class ToolRunner:
    """Prepares and performs; raises only ToolError. The client has to be one for customers' addresses."""

    def __init__(
        self,
        configs: Configs,
        client: httpx.AsyncClient,
        cluster_key: SecretStr | None,
        *,
        max_answer_bytes: int,
        now_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self._configs = configs
        self._client = client
        self._cluster_key = cluster_key
        self._max_answer_bytes = max_answer_bytes
        self._now_ms = now_ms

    async def prepare(self, ref: CallRef, command: RunTool, traceparent: str) -> Job:
        """Finds the tool and its server; raises ToolUnknown, ServerMissing, ServerRefused."""
        try:
            config = await self._configs.read_config(ref)
        except ConfigMissing:
            config = None
        if config is None:
            raise ToolUnknown("The call has no configuration any more.")
        target = target_of(config, command)
        return Job(
            tool_call_id=command.tool_call_id,
            url=target.url,
            headers=self._headers(ref, command, target, traceparent),
            body=message_of(config, command, target.tool, self._now_ms()),
            timeout_s=target.timeout_ms / 1000,
            is_async=target.tool.is_async,
            extraction=target.tool.variable_extraction_plan,
            known={**variables_of(config), **command.variables},
        )

    async def perform(self, job: Job) -> Answer:
        """Asks the server; raises ServerRefused, ServerUnreachable, ServerTooSlow, BadAnswer."""
        try:
            async with asyncio.timeout(job.timeout_s):
                status, body = await self._post(job)
        except AddressRefused:
            raise ServerRefused("The tool's server must not be reached from here.") from None
        except (TimeoutError, httpx.TimeoutException):
            raise ServerTooSlow(f"The tool's server did not answer within {job.timeout_s:g} seconds.") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError):
            raise ServerUnreachable("The tool's server could not be reached.") from None
        answer = read_answer(status, body, job.tool_call_id)
        if answer.error is not None:
            return answer
        return replace(answer, variables=extracted(job.extraction, answer.value, job.known, self._now_ms()))

    async def _post(self, job: Job) -> tuple[int, bytes]:
        async with self._client.stream("POST", job.url, json=job.body, headers=job.headers) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._max_answer_bytes:
                    raise BadAnswer(f"The tool's server answered more than {self._max_answer_bytes} bytes.")
            return response.status_code, bytes(body)

    def _headers(self, ref: CallRef, command: RunTool, target: Target, traceparent: str) -> dict[str, str]:
        """The customer's own headers, and over them those that say who asks and which call it is."""
        try:
            own = {name: open_seal(value, self._cluster_key) for name, value in target.server.headers.items()}
            secret = open_seal(target.server.secret or "", self._cluster_key)
        except BadSeal:
            raise ServerRefused("The secret for the tool's server cannot be opened.") from None
        headers = {
            "user-agent": "voxbus-tool-runner",
            "idempotency-key": f"{ref.call}:{command.tool_call_id}",
            "x-call-id": ref.call,
            "traceparent": traceparent,
            "x-vapi-secret": secret,
        }
        return own | {name: value for name, value in headers.items() if value}
