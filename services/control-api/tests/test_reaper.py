import pytest
import structlog

from voxbus_contracts import CallRef
from voxbus_contracts.commands import EndCall
from voxbus_control_api.errors import Unavailable
from voxbus_control_api.reaper import JOIN_TIMED_OUT, NEVER_CONNECTED, NO_CARRIER, OpenCall, Reaper, overdue

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
OTHER = CallRef("acme", "22222222-2222-4222-8222-2222222222cd")


@pytest.mark.parametrize(
    ("attached_at_ms", "now_ms", "reason"),
    [
        (None, 20_000, None),
        (None, 20_001, NEVER_CONNECTED),
        (19_000, 39_000, None),
        (19_000, 39_001, JOIN_TIMED_OUT),
    ],
)
def test_a_call_is_overdue_some_time_after_its_last_progress(
    attached_at_ms: int | None, now_ms: int, reason: str | None
) -> None:
    assert overdue(OpenCall(REF, 0, attached_at_ms), now_ms, 20_000) == reason


def test_a_call_nothing_can_carry_is_over_at_once() -> None:
    assert overdue(OpenCall(REF, 0, None, has_transport=False), 0, 20_000) == NO_CARRIER


class Stage:
    """Calls that wait, and an OWNERS bucket in memory."""

    def __init__(self, *waiting: OpenCall, claimed: tuple[CallRef, ...] = ()) -> None:
        self.open = list(waiting)
        self.claimed = claimed
        self.asked: list[CallRef] = []
        self.ended: dict[CallRef, str] = {}
        self.commands: dict[CallRef, EndCall] = {}
        self.messages: list[str | None] = []
        self.away = False

    async def waiting(self) -> list[OpenCall]:
        return list(self.open)

    async def end_unclaimed(self, ref: CallRef, reason: str, message: str | None = None) -> bool:
        if self.away:
            raise Unavailable("the bus is away")
        self.asked.append(ref)
        if ref in self.claimed:
            return False
        self.ended[ref] = reason
        self.messages.append(message)
        return True

    async def asked_to_end(self, ref: CallRef) -> EndCall | None:
        return self.commands.get(ref)


def reaper(stage: Stage) -> Reaper:
    return Reaper(stage.waiting, stage, structlog.get_logger(), join_timeout_ms=20_000, now_ms=lambda: 50_000)


async def test_each_overdue_call_is_ended_once_with_its_reason() -> None:
    stage = Stage(OpenCall(REF, 0, None), OpenCall(OTHER, 0, 10))
    looking = reaper(stage)
    await looking.look()
    await looking.look()
    assert stage.ended == {REF: NEVER_CONNECTED, OTHER: JOIN_TIMED_OUT}
    assert stage.asked == [REF, OTHER]


async def test_a_call_an_orchestrator_claimed_is_left_to_it() -> None:
    stage = Stage(OpenCall(REF, 0, 10), claimed=(REF,))
    looking = reaper(stage)
    await looking.look()
    await looking.look()
    assert not stage.ended
    assert stage.asked == [REF], "asked once, not every second"


async def test_a_call_no_worker_was_free_for_is_ended_with_the_words_of_its_refusal() -> None:
    stage = Stage(OpenCall(REF, 49_000, 49_500), OpenCall(OTHER, 49_000, 49_500))
    stage.commands[REF] = EndCall(reason="worker-not-available", message="no slot")
    await reaper(stage).look()
    assert stage.ended == {REF: "worker-not-available"}, "the other may still be answered"
    assert stage.messages == ["no slot"]


async def test_while_the_bus_is_away_nothing_is_forgotten() -> None:
    stage = Stage(OpenCall(REF, 0, None))
    stage.away = True
    looking = reaper(stage)
    with pytest.raises(Unavailable):
        await looking.look()
    stage.away = False
    await looking.look()
    assert stage.ended == {REF: NEVER_CONNECTED}
