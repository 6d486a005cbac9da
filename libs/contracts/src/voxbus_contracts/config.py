"""What the workers of a call are told: entries of the CONFIGS bucket, claims, owners, worker status."""

import hashlib
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from voxbus_contracts.api_model import Server
from voxbus_contracts.assistant import Assistant
from voxbus_contracts.destination import FIRST
from voxbus_contracts.identity import CLAIMED_STAGES, RECORDER
from voxbus_contracts.monitor import MonitorAddresses, MonitorPlan
from voxbus_contracts.subjects import CallRef

CHAT: Final = "chat"
"""The `call_type` of a chat."""

_RESUMABLE: Final = ("vapi.websocket",)


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def payload(self) -> bytes:
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class TransportFormat(_Entry):
    """How audio travels on the caller's transport."""

    provider: str = "vapi.websocket"
    encoding: Literal["pcm_s16le", "mulaw"] = "pcm_s16le"
    sample_rate_hz: Annotated[int, Field(ge=3_000, le=192_000)] = 16_000

    @property
    def is_resumable(self) -> bool:
        """A caller whose line broke may connect again to the same URL."""
        return self.provider in _RESUMABLE


class MessageServer(_Entry):
    """Where server messages go while an assistant has the call.

    `authentication` is the authenticationPlan of the server's credential; None where it names none, or it was gone.
    """

    server: Server
    authentication: dict[str, Any] | None = None


class Member(_Entry):
    """An assistant the call may be handed to, with all overrides applied; its secrets are sealed.

    Its `variables` and `credentials` count before the call's while it has the call.
    """

    key: str
    assistant_id: str | None = None
    assistant: Assistant
    variables: dict[str, Any] = {}
    credentials: "tuple[CallCredential, ...]" = ()


class CallCredential(_Entry):
    """A stored credential that a call may use; its secrets are sealed with the cluster key.

    `id` is empty for one that came with the assistant or the phone number. `authentication` is its authenticationPlan;
    `account` is a carrier's: accountSid with authToken, or with apiKey and apiSecret.
    """

    id: str = ""
    provider: str
    api_key: str = ""
    authentication: dict[str, Any] | None = None
    account: dict[str, str] = Field(default_factory=dict[str, str])

    @property
    def plan(self) -> dict[str, Any] | None:
        """What a server is shown: the plan, or the key as a bearer token; None when there is neither."""
        return self.authentication or ({"type": "bearer", "token": self.api_key} if self.api_key else None)


class KnowledgeFile(_Entry):
    """A file that a tool of the call looks things up in: its name, and where it lies in the object store."""

    name: str
    key: str
    mimetype: str = ""


class Verdict(_Entry):
    """A call that no assistant takes: a sentence is said, then it leaves for `destination`, or ends.

    Whoever hangs up, `reason` is why it is over.
    """

    reason: str = Field(description="an endedReason of the public API")
    say: str = ""
    destination: dict[str, Any] = Field(default={}, description="number or SIP address, as in the public API")
    problem: str = Field(default="", description="what was wrong, for the customer")


class CallConfig(_Entry):
    """A call's configuration, resolved once at its creation. Secrets inside are sealed with the cluster key.

    The entry's key is `CallRef.config_key`; it disappears some time after the call.
    """

    org: str
    call: str
    created_at_ms: int
    call_type: str = "vapi.websocketCall"
    transport: TransportFormat = TransportFormat()
    attach_token_sha256: str = Field(default="", description="hex hash of the token in the transport's URL")
    assistant_id: str | None = None
    assistant: Assistant = Assistant()
    members: tuple[Member, ...] = Field(default=(), description="whom the call may be handed to, beside `assistant`")
    stages: tuple[str, ...] = CLAIMED_STAGES
    resume_window_ms: int = 10_000
    join_timeout_ms: int = 20_000
    traceparent: str = ""
    variables: dict[str, Any] = {}
    verdict: Verdict | None = Field(default=None, description="no assistant takes it: what is said and done instead")
    message_server: MessageServer | None = None
    shared_server: MessageServer | None = Field(
        default=None, description="the phone number's or organisation's, where `message_server` is the assistant's own"
    )
    credentials: tuple[CallCredential, ...] = Field(default=(), description="the assistant's own before the tenant's")
    tool_files: dict[str, KnowledgeFile] = Field(default={}, description="by id, as query tools name them")
    monitor: MonitorAddresses | None = Field(default=None, description="where it is listened to and controlled; sealed")
    is_waiting: bool = Field(default=False, description="no place for it yet: nobody may attach")
    personal_key: str = Field(default="", description="of a private call: seals its personal fields; itself sealed")
    private: bool = Field(default=False, description="the installation wants nothing stored of what is said")
    asked: str = Field(default="", description="what control-api was asked for, sealed; makes records again")

    @property
    def ref(self) -> CallRef:
        return CallRef(self.org, self.call)

    def credential_of(self, provider: str, credential_id: str | None = None) -> CallCredential | None:
        """The one that is named, else the first of the provider."""
        if credential_id:
            return next((each for each in self.credentials if each.id == credential_id), None)
        return next((each for each in self.credentials if each.provider == provider), None)

    def authentication_of(self, server: Server) -> dict[str, Any] | None:
        """What the server's `credentialId` stands for, sealed; None when it names none, or one that is gone."""
        found = self.credential_of("", server.credential_id) if server.credential_id else None
        return found.plan if found else None

    @property
    def is_chat(self) -> bool:
        """Not spoken but written: one turn, `chat.requested` to `chat.ended`, without media."""
        return self.call_type == CHAT

    @property
    def ended_subject(self) -> str:
        """The event after which nobody serves it any more."""
        return self.ref.event("chat" if self.is_chat else "call", "ended")

    @property
    def monitor_plan(self) -> MonitorPlan:
        return self.assistant.monitor_plan or MonitorPlan()

    @property
    def is_private(self) -> bool:
        """Nothing that is said may be stored: the assistant's wish or the installation's."""
        return self.private or any(each.is_private for each in self._assistants)

    @property
    def _assistants(self) -> tuple[Assistant, ...]:
        return (self.assistant, *(member.assistant for member in self.members))

    @property
    def is_recorded(self) -> bool:
        assistant = self.assistant
        plan = assistant.artifact_plan
        wanted = plan.recording_enabled if plan is not None and "recording_enabled" in plan.model_fields_set else None
        if wanted is None:
            wanted = assistant.recording_enabled
        return wanted is not False and not self.is_private and not self.is_chat

    @property
    def claimed_by(self) -> tuple[str, ...]:
        """Every stage that is asked to take the call; it waits only for `stages`."""
        return (*self.stages, RECORDER) if self.is_recorded else self.stages

    def has_member(self, key: str) -> bool:
        return key == FIRST or any(member.key == key for member in self.members)

    def spoken_by(self, key: str) -> "CallConfig":
        """The configuration as it is while that member has the call; raises KeyError for one it does not know."""
        if key == FIRST:
            return self
        found = next((member for member in self.members if member.key == key), None)
        if found is None:
            raise KeyError(key)
        changes = {
            "assistant": found.assistant,
            "assistant_id": found.assistant_id,
            "private": self.is_private,
            "variables": {**self.variables, **found.variables},
            "credentials": (*found.credentials, *self.credentials),
        }
        speaking = self.model_copy(update=changes)
        return speaking.model_copy(update={"message_server": speaking._own_server or self._others_server})

    @property
    def _own_server(self) -> MessageServer | None:
        server = self.assistant.server
        if server is None or not server.url:
            return None
        return MessageServer(server=server, authentication=self.authentication_of(server))

    @property
    def _others_server(self) -> MessageServer | None:
        """Of assistants without one: nothing of a call is to be lost, so the first's where there is no other."""
        return self.shared_server or self.message_server

    def payload(self) -> bytes:
        """Only what was set: readers must see whether a plan was given or is the default."""
        return self.model_dump_json(by_alias=True, exclude_unset=True).encode()


def config_hash(payload: bytes) -> str:
    """Names one version of a configuration; claims and call.queued carry it."""
    return hashlib.sha256(payload).hexdigest()[:16]


class Claim(_Entry):
    """Asks a stage's workers to take a call. `revision` is OWNERS' when it was put on the queue, 0 = never owned."""

    stage: str
    org: str
    call: str
    revision: int = 0
    config_hash: str = ""
    reason: str = "new"

    @property
    def ref(self) -> CallRef:
        return CallRef(self.org, self.call)

    @property
    def is_new(self) -> bool:
        """Nobody has ever served the call in this stage."""
        return self.revision == 0

    @property
    def message_id(self) -> str:
        """Same claim put back by several peers counts once."""
        return f"claim.{self.stage}.{self.org}.{self.call}.{self.revision}"


class Owner(_Entry):
    """Value in OWNERS; an empty `worker` = released, waiting for the next."""

    worker: str
    address: str = Field(default="", description="gRPC")


class WorkerBack(_Entry):
    """Said once on `worker.v1.<stage>.<worker>.back` when a worker was cut off from the bus and reads it again."""

    deaf_ms: int = Field(ge=0, description="how long it has heard nothing, by the heartbeats it listens to")


class WorkerStatus(_Entry):
    """Heartbeat of a worker, every 250 ms on `worker.v1.<stage>.<worker>.status`.

    `gone` is said on behalf of a worker that cannot: by itself at exit, or by whoever saw its process end.
    """

    stage: str
    worker: str
    state: Literal["starting", "ready", "draining", "gone"]
    slots: int = 0
    calls: int = 0
    loop_lag_ms: float = 0.0
    is_overloaded: bool = Field(default=False, description="its event loop is too late: it takes no new calls")
    address: str = ""
