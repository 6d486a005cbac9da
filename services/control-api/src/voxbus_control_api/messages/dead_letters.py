"""Messages that no server took, as they lie on the bus: looked at, and sent again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final

from nats.js.errors import APIError

from voxbus_contracts import CallRef
from voxbus_contracts.delivery import AGAIN, BadDelivery, DeadLetter, read_dead_letter
from voxbus_contracts.envelope import EVENT_ID
from voxbus_contracts.streams import DEAD_LETTERS
from voxbus_contracts.subjects import dead_letters_of
from voxbus_control_api.bus_away import answering
from voxbus_runtime.bus import Bus
from voxbus_runtime.stream_reader import newest_first

_STORED_WITHIN_S: Final = 5.0
_AT_A_TIME: Final = 256
_NOT_DELETED: Final = 10_057
"""JetStream's error for a message that somebody else has deleted. Should it have failed otherwise, the message is on
its way all the same, and its letter is still listed."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A dead letter and its place in its stream."""

    seq: int
    letter: DeadLetter


class DeadLetters:
    """Every question is asked for one organisation; every method raises Unavailable when the bus does not answer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def of_org(self, org: str, limit: int) -> list[Kept]:
        """Newest first; of one that was given up several times only the last."""
        return await self._newest(dead_letters_of(org), limit)

    async def of_call(self, ref: CallRef, limit: int) -> list[Kept]:
        """The same for one call."""
        return await self._newest(ref.all_dead_letters, limit)

    async def find(self, ref: CallRef, delivery_id: str) -> Kept | None:
        """The last time that this one was given up."""
        async with answering():
            async for kept in self._newest_first(ref.all_dead_letters, _AT_A_TIME):
                if kept.letter.delivery.id == delivery_id:
                    return kept
        return None

    async def send_again(self, kept: Kept) -> None:
        """Puts it on its way once more, past whatever else waits for the server; asked twice, it is sent once."""
        letter = kept.letter
        again = replace(letter.delivery, target=AGAIN, previous_seq=0)
        headers = {**again.headers(), EVENT_ID: f"{AGAIN}.{again.id}.{letter.failed_at_ms}"}
        async with answering():
            await self._bus.js.publish(again.subject, again.payload(), headers=headers, timeout=_STORED_WITHIN_S)
            await self._remove(kept.seq)

    async def _remove(self, seq: int) -> None:
        try:
            await self._bus.js.delete_msg(DEAD_LETTERS.name, seq)
        except APIError as refused:
            if refused.err_code != _NOT_DELETED:
                raise

    async def _newest(self, subject: str, limit: int) -> list[Kept]:
        """No more is read than it takes: a server that has been dead for a week leaves very many."""
        found: dict[str, Kept] = {}
        if limit:
            async with answering():
                async for kept in self._newest_first(subject, min(limit, _AT_A_TIME)):
                    found.setdefault(kept.letter.delivery.id, kept)
                    if len(found) == limit:
                        break
        return list(found.values())

    async def _newest_first(self, subject: str, at_a_time: int) -> AsyncIterator[Kept]:
        async for stored in newest_first(self._bus.nc, DEAD_LETTERS.name, subject, at_a_time=at_a_time):
            try:
                yield Kept(stored.seq, read_dead_letter(stored.subject, stored.headers, stored.data))
            except BadDelivery:
                continue


def shown(letter: DeadLetter, org: str, times: tuple[str, str]) -> dict[str, Any]:
    """As answers give it, without the message; `times` are those of its making and of its being given up."""
    delivery = letter.delivery
    return {
        "id": delivery.id,
        "orgId": org,
        "createdAt": times[0],
        "updatedAt": times[1],
        "callId": delivery.ref.call,
        "type": delivery.type,
        "status": "dead",
        "reason": letter.reason,
        "statusCode": letter.status or None,
        "attempts": letter.attempts,
    }
