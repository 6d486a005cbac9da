"""Reads stored messages back without a consumer: batched direct gets (NATS server ≥ 2.11).

Nothing is left on the server afterwards, whoever dies in the middle.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from voxbus_runtime.errors import NotStored
from voxbus_runtime.live import LiveClient, LiveSubscription

_BATCH: Final = 512
_TIMEOUT_S: Final = 1.5
_AGAIN_S: Final = 0.2
_TRIES: Final = 4
"""A request is lost when the server restarts under it; asking again costs nothing."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as the stream keeps it; `stored_at_ms` is the server's clock, ms since the epoch."""

    subject: str
    data: bytes
    headers: dict[str, str]
    seq: int
    stored_at_ms: float


_Answer = tuple[dict[str, str], bytes]


def _stored(headers: dict[str, str], data: bytes) -> StoredMessage:
    return StoredMessage(
        subject=headers.pop("Nats-Subject"),
        data=data,
        seq=int(headers.pop("Nats-Sequence")),
        stored_at_ms=_unix_ms(headers.pop("Nats-Time-Stamp")),
        headers=headers,
    )


def _unix_ms(stamp: str) -> float:
    # "2026-11-23T13:30:00.123456789Z": nanoseconds, of which datetime takes six digits
    head, _, fraction = stamp.rstrip("Z").partition(".")
    whole = datetime.fromisoformat(f"{head}+00:00").timestamp()
    return whole * 1000 + float(f"0.{fraction or 0}") * 1000


async def read(
    nc: Client, stream: str, subject: str, *, from_seq: int = 1, since_ms: float | None = None, batch_size: int = _BATCH
) -> AsyncIterator[StoredMessage]:
    """Messages of `subject` (wildcards allowed) in stream order, from a sequence or a server time on.

    `batch_size` messages come at a time, whether they are all read or not. Raises NotStored when the stream does not
    answer.
    """
    request: dict[str, Any] = {"next_by_subj": subject, "batch": batch_size}
    if since_ms is not None:
        request["start_time"] = datetime.fromtimestamp(since_ms / 1000, UTC).isoformat().replace("+00:00", "Z")
    else:
        request["seq"] = max(1, from_seq)
    while True:
        batch, more = await _batch(nc, stream, request)
        for message in batch:
            yield message
        if not more or not batch:
            return
        request.pop("start_time", None)
        request["seq"] = batch[-1].seq + 1


async def newest_first(nc: Client, stream: str, subject: str, *, at_a_time: int) -> AsyncIterator[StoredMessage]:
    """The same backwards: stretches of the stream that get longer the further back they are. Raises NotStored.

    Whoever stops after a few has read a small multiple of them, whatever the stream holds.
    """
    newest = await last(nc, stream, subject)
    upto, stretch = newest.seq if newest else 0, at_a_time
    while upto > 0:
        start, found = max(1, upto - stretch + 1), list[StoredMessage]()
        async for message in read(nc, stream, subject, from_seq=start, batch_size=at_a_time):
            if message.seq > upto:
                break
            found.append(message)
        for message in reversed(found):
            yield message
        upto, stretch = start - 1, stretch * 4


async def last(nc: Client, stream: str, subject: str) -> StoredMessage | None:
    """The newest message of a subject, wildcards allowed; None when there is none. Raises NotStored."""
    batch, _ = await _batch(nc, stream, {"last_by_subj": subject})
    return batch[-1] if batch else None


async def stored_at(nc: Client, stream: str, seq: int) -> StoredMessage | None:
    """The message with that sequence; None when the stream has it no more. Raises NotStored."""
    batch, _ = await _batch(nc, stream, {"seq": seq})
    return batch[0] if batch else None


async def _batch(nc: Client, stream: str, request: dict[str, Any]) -> tuple[list[StoredMessage], bool]:
    """One request; its messages and whether the server has more behind them."""
    for tried in range(1, _TRIES + 1):
        try:
            return await _asked(nc, stream, request)
        except NotStored:
            if tried == _TRIES or nc.is_closed:
                raise
    raise NotStored(f"stream {stream} was not asked")


async def _asked(nc: Client, stream: str, request: dict[str, Any]) -> tuple[list[StoredMessage], bool]:
    inbox = nc.new_inbox()
    coming: asyncio.Queue[_Answer] = asyncio.Queue()
    subscription = await _subscribed(nc, inbox, coming)
    single = "batch" not in request
    found: list[StoredMessage] = []
    try:
        await nc.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(request).encode(), reply=inbox)
        while True:
            headers, data = await _next(coming)
            status = headers.get("Status", "")
            if status == "404":
                return found, False
            if status == "204":
                return found, int(headers.get("Nats-Num-Pending", "0")) > 0
            if status:
                await asyncio.sleep(_AGAIN_S)
                raise NotStored(f"stream {stream} answers {status} {headers.get('Description', '')}")
            found.append(_stored(headers, data))
            if single:
                return found, False
    except TimeoutError as late:
        raise NotStored(f"stream {stream} does not answer within {_TIMEOUT_S} s") from late
    finally:
        await subscription.unsubscribe()


async def _next(coming: asyncio.Queue[_Answer]) -> _Answer:
    """A batch comes in a few pieces: only for the first of a piece is there anything to wait for."""
    if not coming.empty():
        return coming.get_nowait()
    async with asyncio.timeout(_TIMEOUT_S):
        return await coming.get()


async def _subscribed(nc: Client, inbox: str, coming: asyncio.Queue[_Answer]) -> LiveSubscription | Subscription:
    """The short way where there is one: whoever takes a call over reads hundreds of messages while the caller waits."""
    if isinstance(nc, LiveClient):
        return await nc.subscribe_live(inbox, lambda _, headers, data: coming.put_nowait((headers or {}, data)))

    async def put(msg: Msg) -> None:
        coming.put_nowait((dict(msg.headers or {}), msg.data))

    return await nc.subscribe(inbox, cb=put)
