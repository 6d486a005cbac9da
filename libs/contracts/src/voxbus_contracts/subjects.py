"""Every subject of the bus. Nothing else in the project spells one.

`<kind>.v1.<org>.<part>.<call>.<entity>.<what>`; `*` stands for one token, `>` for the rest.
"""

from dataclasses import dataclass
from typing import Final, Literal

from voxbus_contracts.identity import checked_token, partition

AudioDirection = Literal["caller", "agent", "played"]

ALL_EVENTS: Final = "event.v1.>"
ALL_COMMANDS: Final = "command.v1.>"
ALL_AUDIO: Final = "audio.v1.>"
ALL_CLAIMS: Final = "claim.v1.>"
ALL_DELIVERIES: Final = "delivery.v1.>"
ALL_DEAD_LETTERS: Final = "dead-letter.v1.>"
ALL_WORKERS: Final = "worker.v1.*.*.status"
WORKERS_BACK: Final = "worker.v1.*.*.back"
"""Workers that were cut off from the bus for a while."""


@dataclass(frozen=True, slots=True)
class CallRef:
    """One call of one organisation; knows the subjects of its messages."""

    org: str
    call: str

    def __post_init__(self) -> None:
        checked_token(self.org, "org")
        checked_token(self.call, "call")
        partition(self.call)

    @property
    def part(self) -> str:
        return partition(self.call)

    def audio(self, direction: AudioDirection) -> str:
        return f"audio.v1.{self.org}.{self.part}.{self.call}.{direction}"

    def event(self, entity: str, what: str) -> str:
        return f"event.v1.{self.org}.{self.part}.{self.call}.{entity}.{what}"

    def command(self, entity: str, what: str) -> str:
        return f"command.v1.{self.org}.{self.part}.{self.call}.{entity}.{what}"

    @property
    def all_events(self) -> str:
        return f"event.v1.{self.org}.{self.part}.{self.call}.>"

    @property
    def all_commands(self) -> str:
        return f"command.v1.{self.org}.{self.part}.{self.call}.>"

    @property
    def whole_log(self) -> str:
        """Events and commands as EVENTS has them, for one reading; live it would be the audio as well."""
        return f"*.v1.{self.org}.{self.part}.{self.call}.>"

    def claim(self, stage: str) -> str:
        return f"claim.v1.{stage}.{self.org}.{self.call}"

    def delivery(self, target: str) -> str:
        """Messages to one target of the call, delivered in this subject's order."""
        return f"delivery.v1.{self.org}.{self.call}.{checked_token(target, 'target')}"

    def dead_letter(self, target: str) -> str:
        """Messages that were given up."""
        return f"dead-letter.v1.{self.org}.{self.call}.{checked_token(target, 'target')}"

    @property
    def all_deliveries(self) -> str:
        return f"delivery.v1.{self.org}.{self.call}.*"

    @property
    def all_dead_letters(self) -> str:
        return f"dead-letter.v1.{self.org}.{self.call}.*"

    def lane_key(self, target: str) -> str:
        """Key in the LANES bucket."""
        return f"{self.org}.{self.call}.{target}"

    def owner_key(self, stage: str) -> str:
        """Key in the OWNERS bucket."""
        return f"{stage}.{self.org}.{self.call}"

    @property
    def config_key(self) -> str:
        """Key in the CONFIGS bucket."""
        return f"{self.org}.{self.call}"

    def __str__(self) -> str:
        return f"{self.org}.{self.call}"


@dataclass(frozen=True, slots=True)
class ParsedSubject:
    """An event or command subject taken apart."""

    kind: Literal["event", "command"]
    ref: CallRef
    entity: str
    what: str


def parse(subject: str) -> ParsedSubject:
    """Takes an event or command subject apart; raises ValueError for anything else."""
    tokens = subject.split(".")
    if len(tokens) != 7 or tokens[0] not in ("event", "command") or tokens[1] != "v1":
        raise ValueError(f"{subject!r} is no event or command subject")
    kind: Literal["event", "command"] = "event" if tokens[0] == "event" else "command"
    return ParsedSubject(kind, CallRef(tokens[2], tokens[4]), tokens[5], tokens[6])


def parse_owner_key(key: str) -> tuple[str, CallRef]:
    """`<stage>.<org>.<call>` → stage and call; raises ValueError otherwise."""
    tokens = key.split(".")
    if len(tokens) != 3:
        raise ValueError(f"{key!r} is no key of OWNERS")
    return tokens[0], CallRef(tokens[1], tokens[2])


def parse_delivery(subject: str) -> tuple[CallRef, str]:
    """Call and target of a delivery or a dead letter; raises ValueError for anything else."""
    tokens = subject.split(".")
    if len(tokens) != 5 or tokens[0] not in ("delivery", "dead-letter") or tokens[1] != "v1":
        raise ValueError(f"{subject!r} is no subject of a delivery")
    return CallRef(tokens[2], tokens[3]), checked_token(tokens[4], "target")


def dead_letters_of(org: str) -> str:
    """Everything of one organisation that was given up."""
    return f"dead-letter.v1.{checked_token(org, 'org')}.>"


def claims_of(stage: str) -> str:
    """All claims a stage's workers pull."""
    return f"claim.v1.{stage}.*.*"


def events_named(entity: str, what: str) -> str:
    """One event of every call."""
    return f"event.v1.*.*.*.{entity}.{what}"


def commands_named(entity: str, what: str) -> str:
    """One command of every call."""
    return f"command.v1.*.*.*.{entity}.{what}"


def request_of(org: str, entity: str, what: str) -> str:
    """A question of one organisation, answered by whoever serves it; nothing stores it."""
    return f"request.v1.{checked_token(org, 'org')}.{entity}.{what}"


def requests_named(entity: str, what: str) -> str:
    """One question, whichever organisation's."""
    return f"request.v1.*.{entity}.{what}"


def org_of_request(subject: str) -> str:
    """Raises ValueError for anything that is no request."""
    tokens = subject.split(".")
    if len(tokens) != 5 or tokens[0] != "request" or tokens[1] != "v1":
        raise ValueError(f"{subject!r} is no subject of a request")
    return checked_token(tokens[2], "org")


def worker_status(stage: str, worker: str) -> str:
    return f"worker.v1.{stage}.{checked_token(worker, 'worker')}.status"


def worker_back(stage: str, worker: str) -> str:
    return f"worker.v1.{checked_token(stage, 'stage')}.{checked_token(worker, 'worker')}.back"


def workers_of(stage: str) -> str:
    """Heartbeats of a stage's workers."""
    return f"worker.v1.{checked_token(stage, 'stage')}.*.status"


def backs_of(stage: str) -> str:
    """Where a stage's workers tell that they were cut off from the bus for a while."""
    return f"worker.v1.{checked_token(stage, 'stage')}.*.back"


def followed_by_call(call: str) -> str:
    """Events of a call whose organisation the reader does not know."""
    return f"event.v1.*.{partition(call)}.{checked_token(call, 'call')}.>"


def events_of(org: str) -> str:
    """Everything that happens in one organisation."""
    return f"event.v1.{checked_token(org, 'org')}.>"
