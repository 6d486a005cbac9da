"""What is heard of a chat, in any order and from any worker, is read once and in order."""

import random

from hypothesis import given
from hypothesis import strategies as st

from voxbus_contracts import Envelope, Event
from voxbus_contracts.events import ChatEnded, ChatLine, ChatWorded, StageClaimed
from voxbus_control_api.chats.following import Following, failure_of
from voxbus_control_api.errors import ModelFailed, Unavailable


def by(epoch: int, message: Event, number: int = 1) -> tuple[Envelope, Event]:
    return Envelope("id", message.schema_id(), 1, "w", "llm-orchestrator", epoch, number), message


def worded(reply: int, piece: int, text: str, epoch: int = 1) -> tuple[Envelope, Event]:
    return by(epoch, ChatWorded(reply=reply, piece=piece, text=text))


def claimed(epoch: int) -> tuple[Envelope, Event]:
    return by(epoch, StageClaimed(stage="llm-orchestrator", epoch=epoch, worker="w", address=""))


def test_what_comes_after_a_tool_begins_a_line_of_its_own() -> None:
    following = Following()
    texts = [following.take(*each) for each in (worded(1, 1, "One "), worded(1, 2, "moment."), worded(2, 1, "Friday."))]
    assert texts == ["One ", "moment.", "\nFriday."]


def test_pieces_that_overtook_others_wait_for_them() -> None:
    following = Following()
    assert following.take(*worded(1, 2, "b")) == ""
    assert following.take(*worded(1, 1, "a")) == "ab"
    assert following.take(*worded(1, 2, "b")) == "", "twice is once"


def test_a_worker_that_was_replaced_is_not_read_any_more() -> None:
    following = Following()
    following.take(*worded(1, 1, "a", epoch=1))
    following.take(*claimed(2))
    assert following.is_claimed
    assert following.take(*worded(1, 2, "old", epoch=1)) == ""
    assert following.take(*worded(1, 2, "b", epoch=2)) == "b"


@given(
    st.lists(st.lists(st.text("ab .", min_size=1), min_size=1), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_whatever_is_lost_or_doubled_the_whole_is_read_at_the_end(replies: list[list[str]], rng: random.Random) -> None:
    heard = [worded(r, p, text) for r, pieces in enumerate(replies, 1) for p, text in enumerate(pieces, 1)]
    kept = [each for each in heard for _ in range(rng.choice([0, 1, 1, 2]))]
    first_lost = next((index for index, each in enumerate(heard) if each not in kept), len(heard))
    following = Following()
    read = "".join(following.take(*each) for each in kept)
    lines = tuple(ChatLine(role="assistant", content="".join(pieces)) for pieces in replies)
    whole = "\n".join(line.content for line in lines)
    if first_lost == len(heard):
        assert read == whole
    assert whole.startswith(read) or len(replies) > 1
    if whole.startswith(read):
        assert read + following.rest(ChatEnded(lines=lines)) == whole


def test_failures_are_told_apart_by_whether_it_is_safe_to_try_again() -> None:
    assert failure_of(ChatEnded()) is None
    assert isinstance(failure_of(ChatEnded(error="no-worker")), Unavailable)
    for error in ("no-answer", "model-failed", "too-slow"):
        failed = failure_of(ChatEnded(error=error, detail="why"))
        assert isinstance(failed, ModelFailed)
        assert "why" in str(failed)
