"""The ledger: every event of a call that counts, once, as a double-entry journal in billing's database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from voxbus_billing import rows
from voxbus_billing.account import Account, Statement, opened, recount
from voxbus_billing.journal import Entry, Fact, book, facts_of, rebook
from voxbus_billing.prices import UNPRICED, PriceList, table_of
from voxbus_billing.tables import ACCOUNTS, ENTRIES, POSTINGS, PRICE_TABLES, UNBOOKED
from voxbus_contracts import CallRef
from voxbus_database import Database, Schema, insert_new, open_database

SCHEMA: Final = Schema("billing", "voxbus_billing.migrations")
_PORTION: Final = 500
_SPLIT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Entered:
    """What came of entering some facts: ids of those that were not counted before, and the calls' statements."""

    new: frozenset[str]
    statements: tuple[Statement, ...]


class Ledger:
    """The database of billing; made by `open_ledger`. Amounts are pico-dollars."""

    def __init__(self, database: Database, prices: PriceList) -> None:
        self._database = database
        self.prices = prices

    async def enter(self, facts: Mapping[CallRef, Sequence[Fact]]) -> Entered:
        """Books what is not booked yet, and returns the statements of all calls named, in one transaction."""
        async with self._database.write() as connection:
            accounts = await rows.locked(connection, facts)
            ids = {fact.event_id for of_call in facts.values() for fact in of_call}
            known = await rows.known(connection, ids)
            new: set[str] = set()
            changed: list[Account] = []
            written: list[tuple[CallRef, Entry]] = []
            steps: list[tuple[CallRef, Fact]] = []
            for ref, of_call in facts.items():
                fresh = list({fact.event_id: fact for fact in of_call if fact.event_id not in known | new}.values())
                if not fresh:
                    continue
                new |= {fact.event_id for fact in fresh}
                account, entries = await self._booked(connection, accounts[ref], fresh)
                accounts[ref] = account
                changed.append(account)
                written += [(ref, entry) for entry in entries]
                steps += [(ref, fact) for fact in fresh if fact.use is None]
            await rows.write(connection, written, steps, changed)
            return Entered(frozenset(new), await rows.statements(connection, accounts.values()))

    async def _booked(
        self, connection: AsyncConnection, before: Account, facts: Sequence[Fact]
    ) -> tuple[Account, list[Entry]]:
        account, prices = opened(before, facts, self.prices)
        if before.price_version in ("", prices.label):
            return account, [entry for fact in facts for entry in book(fact, prices)]
        # An earlier moment became known, at which other prices were valid: all is taken back and booked again.
        entries = await rows.entries(connection, before.ref)
        return account, rebook(entries, [*facts_of(entries), *facts], prices)

    async def correct(self, ref: CallRef, facts: Sequence[Fact]) -> int:
        """Makes exactly the uses of `facts` stand, by reversing entries; how many rows that took."""
        async with self._database.write() as connection:
            before = (await rows.locked(connection, [ref]))[ref]
            entries = await rows.entries(connection, ref)
            known = await rows.known(connection, {fact.event_id for fact in facts})
            account, wanted = recount(ref, facts, self.prices, before.price_version)
            written = rebook(
                entries, facts_of(wanted), self.prices.of_call(account.opened_at_ms or 0, account.price_version)
            )
            steps = [(ref, fact) for fact in facts if fact.use is None and fact.event_id not in known]
            if written or steps:
                account = replace(account, version=max(before.version + 1, account.version))
                await rows.write(connection, [(ref, entry) for entry in written], steps, [account])
            return len(written) + len(steps)

    async def adopt(self) -> int:
        """Books what was counted before there was a journal; how many events that were. Goes on where it stopped."""
        adopted = 0
        while True:
            async with self._database.read() as connection:
                counted = (await connection.execute(select(UNBOOKED).limit(_PORTION))).all()
            if not counted:
                return adopted
            facts: dict[CallRef, list[Fact]] = {}
            for row in counted:
                facts.setdefault(CallRef(row.org, row.call), []).append(rows.counted(row))
            await self.enter(facts)
            async with self._database.write() as connection:
                adopted_ids = [row.event_id for row in counted]
                await connection.execute(delete(UNBOOKED).where(UNBOOKED.c.event_id.in_(adopted_ids)))
            adopted += len(counted)

    async def statement(self, ref: CallRef) -> Statement | None:
        """None = nothing of the call was ever counted."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(ACCOUNTS).where(*rows.of(ACCOUNTS, ref)))).first()
            return (await rows.statements(connection, [rows.account_of(row)]))[0] if row else None

    async def entries(self, ref: CallRef) -> list[Entry]:
        """The journal of a call, without its steps of life."""
        async with self._database.read() as connection:
            return await rows.entries(connection, ref)

    async def steps(self, ref: CallRef) -> dict[str, str]:
        """Steps of a call's life that were counted: event id → name."""
        statement = select(ENTRIES.c.event_id, ENTRIES.c.name).where(*rows.of(ENTRIES, ref), ENTRIES.c.item == "")
        async with self._database.read() as connection:
            return {row.event_id: row.name for row in await connection.execute(statement)}

    async def calls(self, since_ms: int = 0) -> list[CallRef]:
        """Calls that were opened at `since_ms` or later, the oldest first."""
        statement = (
            select(ACCOUNTS.c.org, ACCOUNTS.c.call)
            .where(ACCOUNTS.c.opened_at_ms >= since_ms)
            .order_by(ACCOUNTS.c.opened_at_ms, ACCOUNTS.c.call)
        )
        async with self._database.read() as connection:
            return [CallRef(row.org, row.call) for row in await connection.execute(statement)]

    async def balances(self, org: str = "") -> dict[str, int]:
        """Sum per account, of one organisation or of all; they add up to 0."""
        low = POSTINGS.c.amount % _SPLIT
        # Two sums of which neither can leave 63 bits, where SQLite would stop.
        columns = (POSTINGS.c.account, func.sum((POSTINGS.c.amount - low) // _SPLIT), func.sum(low))
        statement = select(*columns).join(ENTRIES, ENTRIES.c.id == POSTINGS.c.entry_id).group_by(POSTINGS.c.account)
        if org:
            statement = statement.where(ENTRIES.c.org == org)
        async with self._database.read() as connection:
            sums = (await connection.execute(statement)).all()
        return {row[0]: int(row[1]) * _SPLIT + int(row[2]) for row in sums}

    async def close(self) -> None:
        await self._database.close()


async def open_ledger(url: str, prices: PriceList) -> Ledger:
    """Opens, makes or migrates the database and keeps the versions of the prices in it. Raises DatabaseFault."""
    database = await open_database(url, SCHEMA)
    values = [
        {"label": table.label, "name": table.name, "valid_from_ms": table.valid_from_ms, "content": table.text()}
        for table in (*prices.tables, UNPRICED)
    ]
    async with database.write() as connection:
        await connection.execute(insert_new(connection, PRICE_TABLES), values)
        kept = (await connection.execute(select(PRICE_TABLES))).all()
    past = {row.label: table_of(row.name, row.valid_from_ms, row.content) for row in kept}
    return Ledger(database, PriceList(prices.tables, past))
