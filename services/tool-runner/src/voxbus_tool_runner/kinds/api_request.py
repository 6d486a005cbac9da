"""apiRequest tools: one HTTP request to any API, made again where its backoffPlan says so, all within its limit."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pydantic import SecretStr

from voxbus_runtime.sealing import open_config
from voxbus_runtime.server_access import CredentialMissing, ServerAccess
from voxbus_runtime.signing import Signed
from voxbus_tool_runner.answer import Answer
from voxbus_tool_runner.api_request import read_api_answer, request_of
from voxbus_tool_runner.asking import Asker, asked_as_planned
from voxbus_tool_runner.errors import ServerMissing
from voxbus_tool_runner.job import Job, Run


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

        async def ask() -> tuple[int, bytes]:
            signed = Signed(request.url, request.content, run.key, run.now_ms, request.method)
            proof = await self.access.authentication(plan, signed)
            return await self.asker.ask(replace(request, headers={**request.headers, **proof}))

        async def act() -> Answer:
            status, body = await asked_as_planned(ask, tool.backoff_plan, partial(self.access.renews, plan))
            return read_api_answer(status, body)

        return Job(act, min(run.timeout_s, tool.timeout_seconds))


def _plan_of(run: Run) -> dict[str, Any] | None:
    named = run.tool.credential_id
    if not named:
        return None
    credential = run.config.credential_of("", named)
    if credential is None or credential.plan is None:
        raise CredentialMissing(f"there is no credential {named[:64]}")
    return credential.plan
