"""Partials: only news, at most five a second, never the newest lost."""

from voxbus_stt_worker.partials import Partial, PartialPacer


def partial(text: str, seq: int = 1) -> Partial:
    return Partial(seq, text, 0, 20)


def test_the_same_text_is_said_once_per_utterance() -> None:
    pacer = PartialPacer()
    assert pacer.offer(partial("where"), 0) == partial("where")
    assert pacer.offer(partial("where"), 1_000) is None
    assert pacer.offer(partial("where", seq=2), 1_000) == partial("where", seq=2)


def test_nothing_understood_is_no_news() -> None:
    assert PartialPacer().offer(partial(""), 0) is None


def test_partials_that_come_too_fast_are_kept_and_the_newest_goes_in_time() -> None:
    pacer = PartialPacer()
    pacer.offer(partial("where"), 0)
    assert pacer.offer(partial("where is"), 50) is None
    assert pacer.offer(partial("where is it"), 100) is None
    assert pacer.wake_at_ms == 200
    assert pacer.due(199) is None
    assert pacer.due(200) == partial("where is it")
    assert pacer.wake_at_ms is None


def test_a_kept_partial_is_dropped_when_the_recognizer_changes_its_mind_back_or_the_final_comes() -> None:
    pacer = PartialPacer()
    pacer.offer(partial("where"), 0)
    pacer.offer(partial("where is"), 50)
    pacer.offer(partial("where"), 100)
    assert pacer.due(300) is None
    pacer.offer(partial("where is"), 101)
    pacer.drop()
    assert pacer.due(300) is None


def test_in_a_pause_of_the_caller_the_kept_partial_goes_at_once_and_the_last_word_too() -> None:
    pacer = PartialPacer()
    pacer.offer(partial("where"), 0)
    pacer.offer(partial("where is"), 50)
    assert pacer.hurry(90) == partial("where is")
    assert pacer.offer(partial("where is it"), 100) == partial("where is it")
    assert pacer.hurry(110) is None
    pacer.offer(partial("where is it now"), 420)
    assert pacer.offer(partial("where is it now then"), 430) is None
    assert pacer.due(620) == partial("where is it now then")
