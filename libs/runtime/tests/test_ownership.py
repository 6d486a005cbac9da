"""Judging claims and suspecting workers."""

from voxbus_contracts.config import Owner
from voxbus_runtime.liveness import Liveness, Vital
from voxbus_runtime.ownership import Drop, Held, PutBacks, Strays, Take, Wait, judge_claim

HELD = Held(Owner(worker="vad-a"), 7)


def test_a_call_nobody_ever_owned_may_be_taken() -> None:
    assert judge_claim(None, lambda _: Vital.ALIVE) == Take(0)


def test_a_released_call_is_taken_on_its_revision() -> None:
    assert judge_claim(Held(Owner(worker=""), 7), lambda _: Vital.ALIVE) == Take(7)


def test_a_living_owner_keeps_its_call() -> None:
    assert judge_claim(HELD, lambda _: Vital.ALIVE) == Drop()


def test_a_suspects_call_is_taken_on_its_revision() -> None:
    assert judge_claim(HELD, lambda _: Vital.SUSPECT) == Take(7)


def test_an_owner_we_have_not_listened_to_long_enough_is_waited_for() -> None:
    assert judge_claim(HELD, lambda _: Vital.UNKNOWN) == Wait()


def test_a_worker_is_suspect_after_a_second_of_silence_and_not_before() -> None:
    liveness = Liveness(listening_since_s=10.0)
    liveness.heard("a", 10.2)
    assert liveness.vital("a", 11.1) is Vital.ALIVE
    assert liveness.vital("a", 11.3) is Vital.SUSPECT


def test_whoever_was_never_heard_is_unknown_for_a_second_then_suspect() -> None:
    liveness = Liveness(listening_since_s=10.0)
    assert liveness.vital("ghost", 10.5) is Vital.UNKNOWN
    assert liveness.vital("ghost", 11.5) is Vital.SUSPECT


def test_after_deafness_nobody_is_suspected_for_what_we_could_not_hear() -> None:
    liveness = Liveness(listening_since_s=10.0)
    liveness.heard("a", 10.2)
    liveness.reset(20.0)
    assert liveness.vital("a", 20.5) is Vital.ALIVE


def test_a_worker_said_to_be_gone_is_suspect_at_once_and_for_good() -> None:
    liveness = Liveness(listening_since_s=10.0)
    liveness.heard("a", 10.2)
    liveness.gone("a")
    liveness.heard("a", 10.3)
    assert liveness.vital("a", 10.3) is Vital.SUSPECT


def test_a_suspects_call_is_put_back_once_and_again_only_when_nobody_took_it() -> None:
    put_backs = PutBacks()
    entries = [("vad.o.c1", HELD)]
    assert put_backs.due(entries, lambda _: Vital.SUSPECT, 100.0) == entries
    assert put_backs.due(entries, lambda _: Vital.SUSPECT, 101.0) == []
    assert put_backs.due(entries, lambda _: Vital.SUSPECT, 103.5) == entries
    assert put_backs.due(entries, lambda _: Vital.ALIVE, 110.0) == []


def test_a_key_of_our_own_is_a_stray_when_it_stays_one_for_three_seconds_and_no_sooner() -> None:
    strays = Strays()
    entry = ("vad.org.call", Held(Owner(worker="me"), 7))

    def mine(_key: str, held: Held) -> bool:
        return held.owner.worker == "me"

    assert strays.due([entry], mine, 0.0) == []
    assert strays.due([entry], mine, 2.9) == []
    assert strays.due([entry], mine, 3.0) == [entry]
    assert strays.due([], mine, 3.5) == []
    assert strays.due([entry], mine, 4.0) == [], "it was gone meanwhile"
    newer = ("vad.org.call", Held(Owner(worker="me"), 8))
    assert strays.due([newer], mine, 8.0) == [], "taken anew"
    assert strays.due([newer], lambda _key, _held: False, 20.0) == []
