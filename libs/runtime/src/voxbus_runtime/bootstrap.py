"""Makes streams, durable consumers and buckets from the contracts. The only place that does."""

import asyncio
from typing import Final

from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    KeyValueConfig,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BucketNotFoundError, NotFoundError

from voxbus_contracts.streams import BUCKETS, CONSUMERS, STREAMS, BucketSpec, ConsumerSpec, StreamSpec

_STORAGE: Final = {"file": StorageType.FILE, "memory": StorageType.MEMORY}
_RETENTION: Final = {"limits": RetentionPolicy.LIMITS, "workqueue": RetentionPolicy.WORK_QUEUE}


async def ensure_bus(nc: Client, replicas: int = 1) -> list[str]:
    """Makes what is missing and mends what differs; safe to run again at any time. Returns what it changed."""
    js = nc.jetstream(timeout=10)
    changed: list[str] = []
    for stream in STREAMS:
        changed += await _ensure_stream(js, stream, replicas)
    for bucket in BUCKETS:
        changed += await _ensure_bucket(js, bucket, replicas)
    for consumer in CONSUMERS:
        changed += await _ensure_consumer(js, consumer)
    return changed


def stream_config(spec: StreamSpec, replicas: int) -> StreamConfig:
    """AUDIO is never replicated: it is only needed for seconds, and live readers do not use it."""
    return StreamConfig(
        name=spec.name,
        description=spec.why,
        subjects=list(spec.subjects),
        storage=_STORAGE[spec.storage],
        retention=_RETENTION[spec.retention],
        max_age=spec.max_age_s,
        max_bytes=spec.max_bytes,
        duplicate_window=spec.duplicate_window_s,
        num_replicas=1 if spec.storage == "memory" else replicas,
        allow_direct=True,
    )


async def _ensure_stream(js: JetStreamContext, spec: StreamSpec, replicas: int) -> list[str]:
    wanted = stream_config(spec, replicas)
    try:
        have = (await js.stream_info(spec.name)).config
    except NotFoundError:
        await js.add_stream(wanted)
        return [f"stream {spec.name} made"]
    same = (
        sorted(have.subjects or []) == sorted(wanted.subjects or [])
        and have.max_age == wanted.max_age
        and have.max_bytes == wanted.max_bytes
        and have.allow_direct
    )
    if same:
        return []
    await js.update_stream(wanted)
    return [f"stream {spec.name} changed"]


async def _ensure_bucket(js: JetStreamContext, spec: BucketSpec, replicas: int) -> list[str]:
    try:
        await js.key_value(spec.name)
        return []
    except (BucketNotFoundError, NotFoundError):
        await js.create_key_value(
            KeyValueConfig(
                bucket=spec.name,
                description=spec.why,
                history=spec.history,
                ttl=spec.ttl_s or None,
                storage=StorageType.FILE,
                replicas=replicas,
                direct=True,
            )
        )
        return [f"bucket {spec.name} made"]


async def _ensure_consumer(js: JetStreamContext, spec: ConsumerSpec) -> list[str]:
    wanted = ConsumerConfig(
        durable_name=spec.durable,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=spec.ack_wait_s,
        max_deliver=spec.max_deliver,
        max_ack_pending=spec.max_ack_pending,
        filter_subject=spec.filter_subjects[0] if len(spec.filter_subjects) == 1 else None,
        filter_subjects=list(spec.filter_subjects) if len(spec.filter_subjects) > 1 else None,
    )
    try:
        have = (await js.consumer_info(spec.stream, spec.durable)).config
        filters = have.filter_subjects or ([have.filter_subject] if have.filter_subject else [])
        if sorted(filters) == sorted(spec.filter_subjects) and have.ack_wait == spec.ack_wait_s:
            return []
        verb = "changed"
    except NotFoundError:
        verb = "made"
    await js.add_consumer(spec.stream, wanted)
    return [f"consumer {spec.durable} {verb}"]


async def keep_bus(nc: Client, replicas: int = 1, every_s: float = 5.0) -> None:
    """Ensures again and again: a memory stream is gone after its server's restart."""
    while True:
        await asyncio.sleep(every_s)
        if nc.is_connected:
            await ensure_bus(nc, replicas)
