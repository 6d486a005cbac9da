"""apiRequest tools: one HTTP request to any API, made again where its backoffPlan says so, all within its limit."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import httpx
from pydantic import SecretStr

from voxbus_contracts.api_model import BackoffPlan
from voxbus_runtime.sealing import open_config
from voxbus_runtime.server_access import CredentialMissing, ServerAccess
from voxbus_runtime.signing import Signed
from voxbus_tool_runner.answer import Answer
from voxbus_tool_runner.api_request import read_api_answer, request_of
from voxbus_tool_runner.asking import Asker, Request
from voxbus_tool_runner.deliveries.lane import Outcome, delay_after, may_be_tried_again
from voxbus_tool_runner.errors import ServerMissing
from voxbus_tool_runner.job import Job, Run

_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class ApiRequestTools:
    """With the credential the tool names, if it names one."""

    asker: Asker
    access: ServerAccess
    cluster_key: SecretStr | None

    def job(self, run: Run) -> Job:
        """Raises ServerMissing, ServerRefused, BadSeal."""
        tool = run.tool
        if not tool.url:
            raise ServerMissing(f"The tool {tool.name} has no url.")
        opened = open_config({"headers": tool.headers}, self.cluster_key)["headers"]
        request, plan = request_of(run, opened), _plan_of(run)

        async def act() -> Answer:
            status, body = await self._asked(run, request, plan)
            return read_api_answer(status, body)

        return Job(act, min(run.timeout_s, tool.timeout_seconds))

    async def _asked(self, run: Run, request: Request, plan: dict[str, Any] | None) -> tuple[int, bytes]:
        """The first answer that is none to be tried again after."""
        backoff = run.tool.backoff_plan or BackoffPlan(max_retries=0)
        tried, had_new_token = 0, False
        while True:
            signed = Signed(request.url, request.content, run.key, run.now_ms, request.method)
            proof = await self.access.authentication(plan, signed)
            try:
                status, body = await self.asker.ask(replace(request, headers={**request.headers, **proof}))
            except (httpx.TransportError, OSError):
                if tried >= backoff.max_retries:
                    raise
                status, body = 0, b""
            if status == _UNAUTHORIZED and plan and not had_new_token:
                self.access.forget(plan)
                had_new_token = True
                continue
            tried += 1
            failed = not 200 <= status < 300
            if not failed or tried > backoff.max_retries or not may_be_tried_again(Outcome(status, "bad"), backoff):
                return status, body
            await asyncio.sleep(delay_after(tried, backoff) / 1000)


def _plan_of(run: Run) -> dict[str, Any] | None:
    named = run.tool.credential_id
    if not named:
        return None
    credential = run.config.credential_of("", named)
    if credential is None or credential.plan is None:
        raise CredentialMissing(f"there is no credential {named[:64]}")
    return credential.plan
