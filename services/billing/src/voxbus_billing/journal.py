"""The double-entry journal of a call. Pure: facts in, entries out; what is written is never changed.

An entry is one use at one price and its postings, which add up to nothing. A use that was booked wrongly (at prices
that were not valid yet, or not at all in the call's archive) is taken back by a reversing entry and, where there was a
use, booked again. So sums over entries are always right and the way to them can be read.

    receivable              what the organisation owes you          + what it pays
    revenue:<item>          what you earned with it                 − the same
    vendor-cost:<item>      what the use cost you at its vendor     + what the vendor takes
    payable:<provider>      what you owe the vendor                 − the same
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from voxbus_billing.prices import VENDOR, PriceTable

RECEIVABLE: Final = "receivable"
USAGE: Final = "usage.recorded"
PLATFORM: Final = "vapi"
"""Item and provider of the platform's own minutes: as many as the transport's, which they are derived from."""


@dataclass(frozen=True, slots=True)
class Use:
    """So many units of one thing; `purpose` says which analysis it was for, `wasted` that nobody got it."""

    item: str
    provider: str
    model: str
    unit: str
    quantity: int
    purpose: str = ""
    wasted: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """One event of the log that counts: a use, or a step in the life of a call. The same id is the same fact."""

    event_id: str
    name: str
    occurred_at_ms: int
    use: Use | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """An amount on one account, pico-dollars; more than 0 is a debit."""

    account: str
    amount: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking. `revision` counts how often its use was booked anew; `reverses` names the entry it takes back."""

    id: str
    event_id: str
    occurred_at_ms: int
    use: Use
    price_version: str
    postings: tuple[Posting, ...] = ()
    revision: int = 0
    reverses: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """All that stands in the journal for one use's kind: `use.quantity` units that cost `amount` pico-dollars."""

    use: Use
    amount: int


def book(fact: Fact, prices: PriceTable, revision: int = 0) -> list[Entry]:
    """The entries of one fact: none for a step of life, two for a connection, as the platform's minutes are its."""
    if fact.use is None:
        return []
    version = prices.label
    entries: list[Entry] = []
    for suffix, use in _uses(fact.use):
        made_id = f"{fact.event_id}{suffix}" + (f"~{revision}" if revision else "")
        postings = postings_of(use, prices)
        entries.append(Entry(made_id, fact.event_id, fact.occurred_at_ms, use, version, postings, revision))
    return entries


def _uses(use: Use) -> list[tuple[str, Use]]:
    if use.item != "transport":
        return [("", use)]
    return [("", use), (f"/{PLATFORM}", replace(use, item=PLATFORM, provider=PLATFORM, model=""))]


def postings_of(use: Use, prices: PriceTable) -> tuple[Posting, ...]:
    """None where nothing is charged; otherwise pairs that add up to 0."""
    price = prices.find(use.item, use.provider, use.model)
    charged = price.charge(use.unit, use.quantity)
    taken = price.charge(use.unit, use.quantity, VENDOR)
    return (
        *_pair(RECEIVABLE, f"revenue:{use.item}", charged),
        *_pair(f"vendor-cost:{use.item}", f"payable:{use.provider}", taken),
    )


def _pair(debit: str, credit: str, amount: int) -> tuple[Posting, ...]:
    return (Posting(debit, amount), Posting(credit, -amount)) if amount else ()


def reversal(entry: Entry) -> Entry:
    """The entry that takes another one back, in units and in money."""
    return replace(
        entry,
        id=f"{entry.id}~reversed",
        use=replace(entry.use, quantity=-entry.use.quantity),
        postings=tuple(Posting(each.account, -each.amount) for each in entry.postings),
        reverses=entry.id,
    )


def standing(entries: Iterable[Entry]) -> list[Entry]:
    """Those that nothing has taken back."""
    written = list(entries)
    reversed_ids = {entry.reverses for entry in written if entry.reverses}
    return [entry for entry in written if not entry.reverses and entry.id not in reversed_ids]


def facts_of(entries: Iterable[Entry]) -> list[Fact]:
    """The uses that stand, as the facts they were booked from."""
    return [
        Fact(entry.event_id, USAGE, entry.occurred_at_ms, entry.use)
        for entry in standing(entries)
        if entry.use.item != PLATFORM
    ]


def rebook(entries: Sequence[Entry], facts: Sequence[Fact], prices: PriceTable) -> list[Entry]:
    """What must be written so that exactly `facts`, at `prices`, stand; nothing where they do already.

    `entries` is all that is written of the call; every fact is there once.
    """
    wanted = {entry.event_id: fact for fact in facts for entry in book(fact, prices)}
    written: list[Entry] = []
    for event_id, stands in _by_event(standing(entries)).items():
        fact = wanted.get(event_id)
        if fact is None or _content(stands) != _content(book(fact, prices)):
            written += [reversal(entry) for entry in stands]
        else:
            del wanted[event_id]
    last: dict[str, int] = {}
    for entry in entries:
        last[entry.event_id] = max(entry.revision, last.get(entry.event_id, 0))
    for event_id, fact in wanted.items():
        written += book(fact, prices, last[event_id] + 1 if event_id in last else 0)
    return written


def _by_event(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    grouped: dict[str, list[Entry]] = {}
    for entry in entries:
        grouped.setdefault(entry.event_id, []).append(entry)
    return grouped


def _content(entries: Iterable[Entry]) -> set[tuple[Use, int, str, frozenset[Posting]]]:
    return {(entry.use, entry.occurred_at_ms, entry.price_version, frozenset(entry.postings)) for entry in entries}


def lines(entries: Iterable[Entry]) -> tuple[Line, ...]:
    """The journal, summed: one line per kind of use, in the order of their first entry."""
    sums: dict[Use, tuple[int, int]] = {}
    for entry in entries:
        kind = replace(entry.use, quantity=0)
        quantity, amount = sums.get(kind, (0, 0))
        owed = sum(each.amount for each in entry.postings if each.account == RECEIVABLE)
        sums[kind] = quantity + entry.use.quantity, amount + owed
    return tuple(
        Line(replace(kind, quantity=quantity), amount)
        for kind, (quantity, amount) in sums.items()
        if quantity or amount
    )
