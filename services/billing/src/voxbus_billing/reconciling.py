"""A call's account in the ledger against its log. Pure: what differs, in words and amounts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from voxbus_billing.account import Account, recount
from voxbus_billing.bill import bill
from voxbus_billing.journal import Entry, Fact, Line, Use, facts_of, lines
from voxbus_billing.money import plain
from voxbus_billing.prices import PriceList
from voxbus_contracts import CallRef


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not alike. `amount` = ledger − log, pico-dollars."""

    ref: CallRef
    what: str
    amount: int = 0

    def __str__(self) -> str:
        owed = f" ({'+' if self.amount > 0 else ''}{plain(self.amount)} USD)" if self.amount else ""
        return f"{self.ref.call}: {self.what}{owed}"


@dataclass(frozen=True, slots=True)
class Booked:
    """What the ledger has of a call: its account, journal, and the steps of its life, event id → name."""

    account: Account
    entries: tuple[Entry, ...]
    steps: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """The newest cost that was published of a call."""

    version: int
    total: str


def differences(
    ref: CallRef, facts: Sequence[Fact], booked: Booked | None, told: Told | None, prices: PriceList
) -> list[Difference]:
    """Nothing = the ledger is the sum of the log, to the last decimal, and so is what was told."""
    if booked is None:
        return [Difference(ref, "is in the archive and not in the ledger")] if facts else []
    account, wanted = recount(ref, facts, prices, booked.account.price_version)
    found = [*_events(ref, facts, booked), *_lines(ref, lines(booked.entries), lines(wanted))]
    found += _unbalanced(ref, booked.entries)
    for name in ("opened_at_ms", "ended", "price_version"):
        has, should_have = getattr(booked.account, name), getattr(account, name)
        if has != should_have:
            found.append(Difference(ref, f"{name} is {has} in the ledger and {should_have} by the archive"))
    total = bill(lines(booked.entries)).total
    if told is not None and told.version == booked.account.version and told.total != total:
        found.append(Difference(ref, f"its cost was told as {told.total} USD and is {total} USD"))
    return found


def _events(ref: CallRef, facts: Iterable[Fact], booked: Booked) -> list[Difference]:
    in_log = {fact.event_id: fact for fact in facts}
    stands = facts_of(booked.entries)
    in_ledger = {fact.event_id: fact.use.item for fact in stands if fact.use is not None} | dict(booked.steps)
    missing = [
        Difference(ref, f"{_shown(fact)} was not counted") for fact in in_log.values() if fact.event_id not in in_ledger
    ]
    extra = [
        Difference(ref, f"{event_id} ({what}) was counted and is not in the archive")
        for event_id, what in in_ledger.items()
        if event_id not in in_log
    ]
    return missing + extra


def _lines(ref: CallRef, has: Iterable[Line], should_have: Iterable[Line]) -> list[Difference]:
    ledger, log = _by_kind(has), _by_kind(should_have)
    found: list[Difference] = []
    for kind in dict.fromkeys((*ledger, *log)):
        one, other = ledger.get(kind, (0, 0)), log.get(kind, (0, 0))
        if one != other:
            what = f"{' '.join(filter(None, kind))}: {one[0]} in the ledger, {other[0]} by the archive"
            found.append(Difference(ref, what, one[1] - other[1]))
    return found


def _by_kind(of: Iterable[Line]) -> dict[tuple[str, ...], tuple[int, int]]:
    return {_kind(line.use): (line.use.quantity, line.amount) for line in of}


def _kind(use: Use) -> tuple[str, ...]:
    return use.item, use.provider, use.model, use.purpose, "wasted" if use.wasted else "", use.unit


def _unbalanced(ref: CallRef, entries: Iterable[Entry]) -> list[Difference]:
    return [
        Difference(ref, f"entry {entry.id} does not balance", sum(each.amount for each in entry.postings))
        for entry in entries
        if sum(each.amount for each in entry.postings)
    ]


def _shown(fact: Fact) -> str:
    use = fact.use
    return f"{fact.event_id} ({fact.name if use is None else f'{use.item} {use.quantity} {use.unit}'})"
