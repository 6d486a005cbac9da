"""What is known of a call's account between two batches of its events, and what the next batch makes of it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from voxbus_billing.journal import Entry, Fact, Line, book
from voxbus_billing.prices import PriceList, PriceTable
from voxbus_contracts import CallRef

ENDED: Final = "call.ended"


@dataclass(frozen=True, slots=True)
class Account:
    """A call's account. `version` grows with every change: equal versions have equal content.

    `opened_at_ms` is the earliest moment that the ledger knows of the call, whose prices hold for all of it.
    """

    ref: CallRef
    version: int = 0
    opened_at_ms: int | None = None
    price_version: str = ""
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """An account with its sums."""

    account: Account
    lines: tuple[Line, ...]


def opened(account: Account, facts: Sequence[Fact], prices: PriceList) -> tuple[Account, PriceTable]:
    """The account once `facts`, none of them counted yet, at least one, are in it; and what prices the call."""
    times = [fact.occurred_at_ms for fact in facts]
    if account.opened_at_ms is not None:
        times.append(account.opened_at_ms)
    table = prices.of_call(min(times), account.price_version)
    seen = replace(
        account,
        version=account.version + len(facts),
        opened_at_ms=min(times),
        price_version=table.label,
        ended=account.ended or any(fact.name == ENDED for fact in facts),
    )
    return seen, table


def recount(ref: CallRef, facts: Iterable[Fact], prices: PriceList, label: str = "") -> tuple[Account, list[Entry]]:
    """A call's account and journal from its log alone, as if nothing had ever been written. Doubles count once."""
    once = list({fact.event_id: fact for fact in facts}.values())
    if not once:
        return Account(ref), []
    account, table = opened(Account(ref, price_version=label), once, prices)
    return account, [entry for fact in once for entry in book(fact, table)]
