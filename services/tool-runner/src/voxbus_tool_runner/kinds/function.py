"""Function tools: the customer's server gets a `tool-calls` message and answers with results."""

import json
from dataclasses import dataclass
from functools import partial

from pydantic import SecretStr

from voxbus_runtime.server_access import ServerAccess
from voxbus_runtime.signing import Signed
from voxbus_tool_runner.answer import Answer, read_answer
from voxbus_tool_runner.asking import Asker, Request, asked_as_planned
from voxbus_tool_runner.job import Job, Run
from voxbus_tool_runner.selection import message_of, target_of


@dataclass(frozen=True, slots=True)
class FunctionTools:
    """The tool's own server, else the assistant's, else the call's; asked again where its backoffPlan says so."""

    asker: Asker
    access: ServerAccess
    cluster_key: SecretStr | None = None

    def job(self, run: Run) -> Job:
        """Raises ServerMissing."""
        target = target_of(run.config, run.command, run.tool)
        about = run.call.about(self.cluster_key)
        body = json.dumps(message_of(run.config, run.command, run.tool, run.now_ms, about)).encode()

        async def ask() -> tuple[int, bytes]:
            signed = Signed(target.url, body, run.key, run.now_ms)
            lets_in = await self.access.headers(target.server, target.authentication, signed)
            headers = lets_in | run.headers | {"content-type": "application/json"}
            return await self.asker.ask(Request(target.url, headers=headers, content=body))

        async def act() -> Answer:
            renews = partial(self.access.renews, target.authentication)
            status, answer = await asked_as_planned(ask, target.server.backoff_plan, renews)
            return read_answer(status, answer, run.command.tool_call_id)

        return Job(act, target.timeout_ms / 1000, is_async=run.tool.is_async)
