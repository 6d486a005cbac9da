"""Accounts, entries and postings as rows of the database."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Row, Table, bindparam, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from voxbus_billing.account import Account, Statement
from voxbus_billing.journal import RECEIVABLE, USAGE, Entry, Fact, Line, Posting, Use
from voxbus_billing.tables import ACCOUNTS, ENTRIES, POSTINGS
from voxbus_contracts import CallRef
from voxbus_database import insert_new

_WASTED: Final = ".wasted"
"""Suffix by which a unit was told to be wasted before it had a column of its own."""


async def locked(connection: AsyncConnection, refs: Iterable[CallRef]) -> dict[CallRef, Account]:
    """The accounts of calls, made where there is none; nobody else changes them while the transaction lasts."""
    ordered = sorted(set(refs), key=str)
    if not ordered:
        return {}
    values = [
        {"org": ref.org, "call": ref.call, "version": 0, "price_version": "", "ended": 0, "opened_at_ms": None}
        for ref in ordered
    ]
    await connection.execute(insert_new(connection, ACCOUNTS), values)
    statement = select(ACCOUNTS).where(among(ACCOUNTS, ordered)).order_by(ACCOUNTS.c.org, ACCOUNTS.c.call)
    found = (await connection.execute(statement.with_for_update())).all()
    return {(account := account_of(row)).ref: account for row in found}


async def known(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Those of some events that are counted. Every event's first entry has the event's own id."""
    statement = select(ENTRIES.c.id).where(ENTRIES.c.id.in_(ids))
    return set((await connection.execute(statement)).scalars())


async def write(
    connection: AsyncConnection,
    entries: Sequence[tuple[CallRef, Entry]],
    steps: Sequence[tuple[CallRef, Fact]],
    accounts: Sequence[Account],
) -> None:
    """Adds entries, their postings and steps of life; `accounts` are as they stand afterwards."""
    values = [_values(ref, entry) for ref, entry in entries] + [_step(ref, fact) for ref, fact in steps]
    if values:
        await connection.execute(insert(ENTRIES), values)
    postings = [
        {"entry_id": entry.id, "account": posting.account, "amount": posting.amount}
        for _, entry in entries
        for posting in entry.postings
    ]
    if postings:
        await connection.execute(insert(POSTINGS), postings)
    if accounts:
        changed = update(ACCOUNTS).where(ACCOUNTS.c.org == bindparam("of_org"), ACCOUNTS.c.call == bindparam("of_call"))
        await connection.execute(changed, [_account_values(account) for account in accounts])


async def statements(connection: AsyncConnection, accounts: Collection[Account]) -> tuple[Statement, ...]:
    """The sums of calls' journals, in the order of the accounts."""
    kind = [ENTRIES.c[name] for name in ("org", "call", "item", "provider", "model", "unit", "purpose", "wasted")]
    owed = (POSTINGS.c.entry_id == ENTRIES.c.id) & (POSTINGS.c.account == RECEIVABLE)
    statement = (
        select(*kind, func.sum(ENTRIES.c.quantity), func.coalesce(func.sum(POSTINGS.c.amount), 0))
        .join(POSTINGS, owed, isouter=True)
        .where(among(ENTRIES, [account.ref for account in accounts]), ENTRIES.c.item != "")
        .group_by(*kind)
        .order_by(func.min(ENTRIES.c.occurred_at_ms), *kind)
    )
    lines: dict[CallRef, list[Line]] = {account.ref: [] for account in accounts}
    found: Sequence[Any] = (await connection.execute(statement)).all()
    for org, call, *of_use, wasted, quantity, amount in found:
        if quantity or amount:
            item, provider, model, unit, purpose = of_use
            use = Use(item, provider, model, unit, int(quantity), purpose, bool(wasted))
            lines[CallRef(org, call)].append(Line(use, int(amount)))
    return tuple(Statement(account, tuple(lines[account.ref])) for account in accounts)


async def entries(connection: AsyncConnection, ref: CallRef) -> list[Entry]:
    """The journal of a call, without its steps of life."""
    statement = select(ENTRIES).where(*of(ENTRIES, ref), ENTRIES.c.item != "")
    written = (await connection.execute(statement.order_by(ENTRIES.c.occurred_at_ms, ENTRIES.c.id))).all()
    posted: dict[str, list[Posting]] = {}
    of_call = select(POSTINGS).join(ENTRIES, ENTRIES.c.id == POSTINGS.c.entry_id).where(*of(ENTRIES, ref))
    for row in await connection.execute(of_call):
        posted.setdefault(row.entry_id, []).append(Posting(row.account, row.amount))
    return [_entry(row, posted.get(row.id, [])) for row in written]


def among(table: Table, refs: Sequence[CallRef]) -> Any:
    return tuple_(table.c.org, table.c.call).in_([(ref.org, ref.call) for ref in refs])


def of(table: Table, ref: CallRef) -> tuple[Any, Any]:
    return table.c.org == ref.org, table.c.call == ref.call


def account_of(row: Row[Any]) -> Account:
    return Account(CallRef(row.org, row.call), row.version, row.opened_at_ms, row.price_version, bool(row.ended))


def counted(row: Row[Any]) -> Fact:
    """A row from before there was a journal."""
    if not row.item:
        return Fact(row.event_id, row.name, row.occurred_at_ms)
    unit = row.unit.removesuffix(_WASTED)
    use = Use(row.item, row.provider, row.model, unit, row.quantity, wasted=row.unit.endswith(_WASTED))
    return Fact(row.event_id, row.name, row.occurred_at_ms, use)


def _account_values(account: Account) -> dict[str, Any]:
    return {
        "of_org": account.ref.org,
        "of_call": account.ref.call,
        "version": account.version,
        "opened_at_ms": account.opened_at_ms,
        "price_version": account.price_version,
        "ended": int(account.ended),
    }


def _values(ref: CallRef, entry: Entry) -> dict[str, Any]:
    use = entry.use
    return {
        "id": entry.id,
        "event_id": entry.event_id,
        "org": ref.org,
        "call": ref.call,
        "name": USAGE,
        "occurred_at_ms": entry.occurred_at_ms,
        "item": use.item,
        "provider": use.provider,
        "model": use.model,
        "unit": use.unit,
        "purpose": use.purpose,
        "wasted": int(use.wasted),
        "quantity": use.quantity,
        "price_version": entry.price_version,
        "revision": entry.revision,
        "reverses": entry.reverses,
    }


def _step(ref: CallRef, fact: Fact) -> dict[str, Any]:
    nothing = Entry(fact.event_id, fact.event_id, fact.occurred_at_ms, Use("", "", "", "", 0), "")
    return {**_values(ref, nothing), "name": fact.name}


def _entry(row: Row[Any], postings: Sequence[Posting]) -> Entry:
    use = Use(row.item, row.provider, row.model, row.unit, row.quantity, row.purpose, bool(row.wasted))
    return Entry(
        id=row.id,
        event_id=row.event_id,
        occurred_at_ms=row.occurred_at_ms,
        use=use,
        price_version=row.price_version,
        postings=tuple(postings),
        revision=row.revision,
        reverses=row.reverses,
    )
