"""sms tools: one text message through Twilio's API, sent at most once.

Source: Twilio, Programmable Messaging, "Create a Message" (POST 2010-04-01/Accounts/{sid}/Messages.json); it takes no
idempotency key.
"""

import asyncio
import base64
import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx
from pydantic import SecretStr

from voxbus_runtime.sealing import open_config
from voxbus_tool_runner.answer import Answer, one_line
from voxbus_tool_runner.asking import Asker, Request
from voxbus_tool_runner.errors import BadAnswer, BadArguments, OutcomeUnknown, ServerMissing, ServerUnreachable
from voxbus_tool_runner.job import Job, Run
from voxbus_tool_runner.receipts import Receipts

LONGEST_TEXT: Final = 1_600
_NUMBER: Final = re.compile(r"\+[1-9]\d{6,14}")
_GRACE_S: Final = 0.5
"""The limit inside ends first: what was on its way then is not just slow."""
_UNKNOWN: Final = "It is not known whether the message was sent. It is not sent again."


@dataclass(frozen=True, slots=True)
class SmsTools:
    """The asker's client reaches the operator's vendor, not customers' addresses."""

    asker: Asker
    receipts: Receipts
    base_url: str
    cluster_key: SecretStr | None

    def job(self, run: Run) -> Job:
        """Raises ServerMissing, BadArguments, BadSeal."""
        credential = open_config(_account_of(run), self.cluster_key)
        request = self._request(run, credential)

        async def act() -> Answer:
            if not await self.receipts.may_do(run.ref, run.command.tool_call_id, run.command.tool_name):
                raise OutcomeUnknown(_UNKNOWN)
            try:
                async with asyncio.timeout(run.timeout_s):
                    status, body = await self.asker.ask(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                raise ServerUnreachable("The message was not sent: its vendor could not be reached.") from None
            except (httpx.HTTPError, OSError):
                raise OutcomeUnknown(_UNKNOWN) from None
            return _read(status, body)

        return Job(act, run.timeout_s + _GRACE_S)

    def _request(self, run: Run, credential: dict[str, Any]) -> Request:
        account = str(credential["accountSid"])
        user, password = account, credential.get("authToken")
        if not password:
            user, password = str(credential.get("apiKey", "")), credential.get("apiSecret")
        proof = base64.b64encode(f"{user}:{password or ''}".encode()).decode()
        return Request(
            f"{self.base_url.rstrip('/')}/2010-04-01/Accounts/{quote(account, safe='')}/Messages.json",
            headers={"authorization": f"Basic {proof}", "content-type": "application/x-www-form-urlencoded"},
            content=urlencode(_form(run)).encode(),
        )


def _account_of(run: Run) -> dict[str, Any]:
    """That of the credential the tool names, else the first of a Twilio account the call may use."""
    credential = run.config.credential_of("twilio", run.tool.credential_id)
    if credential is None or not credential.account.get("accountSid"):
        raise ServerMissing(
            "The sms tool has no account: set credentialId to a twilio credential's id, or call by a Twilio number."
        )
    return dict(credential.account)


def _form(run: Run) -> dict[str, str]:
    known, chosen, metadata = run.known, run.command.arguments, run.tool.metadata or {}
    customer, number = known.get("customer"), known.get("phoneNumber")
    own = customer.get("number") if isinstance(customer, dict) else None
    to = str(run.static.get("to") or chosen.get("to") or own or "").replace(" ", "")
    text = str(run.static.get("message") or chosen.get("message") or chosen.get("content") or "").strip()
    sender = str(run.filled(metadata.get("from")) or (number.get("number") if isinstance(number, dict) else "") or "")
    if not _NUMBER.fullmatch(to):
        raise BadArguments("to must be a telephone number in E.164 format, such as +14155550100.")
    if not text or len(text) > LONGEST_TEXT:
        raise BadArguments(f"message must have 1 to {LONGEST_TEXT} characters.")
    if not sender:
        raise ServerMissing("The sms tool has no sender: set metadata.from to one of the account's numbers.")
    kind = "MessagingServiceSid" if sender.startswith("MG") else "From"
    return {"To": to, kind: sender, "Body": text}


def _read(status: int, body: bytes) -> Answer:
    try:
        found = json.loads(body)
    except ValueError:
        found = {}
    found = found if isinstance(found, dict) else {}
    if 200 <= status < 300:
        return Answer(result="The message was sent.", value={"sid": found.get("sid"), "status": found.get("status")})
    if status >= 500:
        raise OutcomeUnknown(_UNKNOWN)
    raise BadAnswer(f"The message was not sent: {one_line(str(found.get('message') or f'status {status}'))[:300]}")
