"""Streams, durable consumers and buckets. One bootstrap makes them from here; services only use them."""

from dataclasses import dataclass
from typing import Final, Literal

from voxbus_contracts import subjects
from voxbus_contracts.identity import CLAIMED_STAGES, RECORDER

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One JetStream stream."""

    name: str
    subjects: tuple[str, ...]
    storage: Literal["file", "memory"]
    retention: Literal["limits", "workqueue"]
    max_age_s: float
    max_bytes: int
    duplicate_window_s: float
    why: str


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """One durable pull consumer. Limits are set on purpose: the server's defaults cap a stage at 1,000 calls."""

    stream: str
    durable: str
    filter_subjects: tuple[str, ...]
    ack_wait_s: float
    max_ack_pending: int
    max_deliver: int = -1


@dataclass(frozen=True, slots=True)
class BucketSpec:
    """One key-value bucket."""

    name: str
    history: int
    ttl_s: float
    why: str


AUDIO: Final = StreamSpec(
    "AUDIO",
    (subjects.ALL_AUDIO,),
    "memory",
    "limits",
    max_age_s=120,
    max_bytes=512 * MIB,
    duplicate_window_s=1,
    why="replay of audio at a takeover; live readers use plain subscriptions",
)
EVENTS: Final = StreamSpec(
    "EVENTS",
    (subjects.ALL_EVENTS, subjects.ALL_COMMANDS),
    "file",
    "limits",
    max_age_s=86_400,
    max_bytes=4096 * MIB,
    duplicate_window_s=120,
    why="the truth while a call lives, and a day of it",
)
CLAIMS: Final = StreamSpec(
    "CLAIMS",
    (subjects.ALL_CLAIMS,),
    "file",
    "workqueue",
    max_age_s=3_600,
    max_bytes=64 * MIB,
    duplicate_window_s=120,
    why="calls waiting for a worker with room",
)
DELIVERIES: Final = StreamSpec(
    "DELIVERIES",
    (subjects.ALL_DELIVERIES,),
    "file",
    "limits",
    max_age_s=86_400,
    max_bytes=1024 * MIB,
    duplicate_window_s=120,
    why="webhooks on their way to customers' servers; of those that arrived only a call's last stays",
)
DEAD_LETTERS: Final = StreamSpec(
    "DEAD_LETTERS",
    (subjects.ALL_DEAD_LETTERS,),
    "file",
    "limits",
    max_age_s=7 * 86_400,
    max_bytes=512 * MIB,
    duplicate_window_s=120,
    why="webhooks that were given up, to be looked at and sent again",
)
STREAMS: Final = (AUDIO, EVENTS, CLAIMS, DELIVERIES, DEAD_LETTERS)

OWNERS: Final = BucketSpec(
    "OWNERS", history=1, ttl_s=0, why="who owns which stage of a call; the revision is the epoch"
)
CONFIGS: Final = BucketSpec("CONFIGS", history=1, ttl_s=172_800, why="configuration of a call, secrets sealed")
LANES: Final = BucketSpec("LANES", history=1, ttl_s=172_800, why="how far the webhooks of a call's target have come")
BUCKETS: Final = (OWNERS, CONFIGS, LANES)


def claims_consumer(stage: str) -> ConsumerSpec:
    """The consumer from which a stage's workers pull claims."""
    return ConsumerSpec(
        CLAIMS.name, f"claims_{stage}", (subjects.claims_of(stage),), ack_wait_s=3, max_ack_pending=20_000
    )


TOOL_RUNNER: Final = ConsumerSpec(
    EVENTS.name,
    "tool-runner",
    (subjects.commands_named("tool", "run"), subjects.commands_named("tool", "discover")),
    ack_wait_s=3,
    max_ack_pending=10_000,
)
_RECORDED_WITHIN_S: Final = 5
"""What a service had fetched when it stopped comes again after this; batches take far less, and twice is once."""

BILLING: Final = ConsumerSpec(
    EVENTS.name,
    "billing",
    (subjects.events_named("usage", "recorded"), subjects.events_named("call", "*")),
    ack_wait_s=_RECORDED_WITHIN_S,
    max_ack_pending=1_000,
)
_FINISHED_WITHIN_S: Final = 30
"""The recorder says every third of it that it is still at it."""

RECORDER_ENDED: Final = ConsumerSpec(
    EVENTS.name,
    "recorder-recordings",
    (subjects.events_named("call", "ended"),),
    ack_wait_s=_FINISHED_WITHIN_S,
    max_ack_pending=10_000,
)
ARCHIVER: Final = ConsumerSpec(
    EVENTS.name,
    "recorder-archives",
    (subjects.events_named("call", "ended"),),
    ack_wait_s=_FINISHED_WITHIN_S,
    max_ack_pending=10_000,
)
ERASER: Final = ConsumerSpec(
    EVENTS.name,
    "recorder-deletions",
    (subjects.events_named("call", "deleted"),),
    ack_wait_s=_FINISHED_WITHIN_S,
    max_ack_pending=1_000,
)
_RECORDED: Final = (
    "analysis",
    "call",
    "media",
    "stage",
    "turn",
    "reply",
    "tool",
    "handoff",
    "cost",
    "fault",
    "recording",
    "archive",
)
CONTROL_API: Final = ConsumerSpec(
    EVENTS.name,
    "control-api",
    (
        *(subjects.events_named(entity, "*") for entity in _RECORDED),
        subjects.events_named("transcript", "final"),
        subjects.events_named("chat", "ended"),
    ),
    ack_wait_s=_RECORDED_WITHIN_S,
    max_ack_pending=1_000,
)

_TOLD: Final = (
    *(("call", what) for what in ("queued", "ringing", "started", "transferred", "control-requested", "ended")),
    *(("handoff", "completed"), ("message", "added")),
    *(("speech", what) for what in ("started", "stopped")),
    *(("transcript", "partial"), ("transcript", "final"), ("language", "detected")),
    *(("turn", "committed"), ("reply", "started"), ("reply", "finished"), ("reply", "interrupted")),
    *(("playback", what) for what in ("started", "finished", "cleared")),
    *(("tool", what) for what in ("requested", "finished")),
)
SERVER_MESSAGES: Final = ConsumerSpec(
    EVENTS.name,
    "control-api-messages",
    (*(subjects.events_named(*name) for name in _TOLD), subjects.commands_named("speech", "say")),
    ack_wait_s=_RECORDED_WITHIN_S,
    max_ack_pending=20_000,
)
_ASKED_WITHIN_S: Final = 45
"""More than a server is waited for: it is not asked twice while it thinks."""

DESTINATIONS: Final = ConsumerSpec(
    EVENTS.name,
    "control-api-destinations",
    (subjects.commands_named("destination", "find"),),
    ack_wait_s=_ASKED_WITHIN_S,
    max_ack_pending=10_000,
)
REPORTS: Final = ConsumerSpec(
    EVENTS.name,
    "control-api-reports",
    (subjects.events_named("call", "ended"), subjects.events_named("recording", "stored")),
    ack_wait_s=_FINISHED_WITHIN_S,
    max_ack_pending=10_000,
)
_ANALYSED_WITHIN_S: Final = 6
"""An analyst says every third of it that it is still at it; of one that is lost the call comes to another then."""

ANALYST: Final = ConsumerSpec(
    EVENTS.name,
    "llm-orchestrator-analyses",
    (subjects.events_named("call", "ended"),),
    ack_wait_s=_ANALYSED_WITHIN_S,
    max_ack_pending=10_000,
)
ANALYSIS_RUNS: Final = ConsumerSpec(
    EVENTS.name,
    "llm-orchestrator-runs",
    (subjects.commands_named("analysis", "run"),),
    ack_wait_s=_ANALYSED_WITHIN_S,
    max_ack_pending=1_000,
)
DELIVERER: Final = ConsumerSpec(
    DELIVERIES.name,
    "tool-runner-deliveries",
    (subjects.ALL_DELIVERIES,),
    ack_wait_s=_FINISHED_WITHIN_S,
    max_ack_pending=200_000,
)
"""What waits for a dead server is pending too, and must not keep other calls' messages out."""

CONSUMERS: Final = (
    *(claims_consumer(stage) for stage in (*CLAIMED_STAGES, RECORDER)),
    TOOL_RUNNER,
    RECORDER_ENDED,
    ARCHIVER,
    ERASER,
    BILLING,
    CONTROL_API,
    SERVER_MESSAGES,
    REPORTS,
    ANALYST,
    ANALYSIS_RUNS,
    DESTINATIONS,
    DELIVERER,
)
