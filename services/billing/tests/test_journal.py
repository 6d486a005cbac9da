"""The journal's own rules: exactness, balance, corrections by reversal."""

from decimal import Decimal
from fractions import Fraction

import pytest
from histories import PRICES, expected_total, facts
from hypothesis import given
from hypothesis import strategies as st

from voxbus_billing.account import recount
from voxbus_billing.journal import Fact, Posting, Use, book, facts_of, lines, rebook, standing
from voxbus_billing.money import charge, picos, plain
from voxbus_billing.prices import PriceList
from voxbus_contracts import CallRef

REF = CallRef("acme", "11111111-1111-4111-8111-1111111111ab")
SPOKEN = Fact("e1", "usage.recorded", 5, Use("voice", "dear", "grand", "characters", 1_000))


def test_a_use_owes_the_customer_and_the_vendor_and_balances() -> None:
    (entry,) = book(SPOKEN, PRICES.at(5))
    assert entry.postings == (
        Posting("receivable", 300_000_000_000),
        Posting("revenue:voice", -300_000_000_000),
        Posting("vendor-cost:voice", 100_000_000_000),
        Posting("payable:dear", -100_000_000_000),
    )


@given(facts(0))
def test_every_posting_balances_and_the_sum_is_that_of_the_log(history: list[Fact]) -> None:
    _, entries = recount(REF, history, PRICES)
    assert all(sum(posting.amount for posting in entry.postings) == 0 for entry in entries)
    assert sum(line.amount for line in lines(entries)) == expected_total(history).scaleb(12)


@given(facts(0), facts(0), st.integers(0, 3_000_000), st.integers(0, 3_000_000))
def test_whatever_was_booked_is_corrected_by_reversal_alone(
    before: list[Fact], after: list[Fact], booked_at_ms: int, corrected_at_ms: int
) -> None:
    written = [entry for fact in before for entry in book(fact, PRICES.at(booked_at_ms))]
    prices = PRICES.at(corrected_at_ms)
    corrections = rebook(written, after, prices)
    journal = written + corrections
    assert len({entry.id for entry in journal}) == len(journal)
    assert set(lines(journal)) == set(lines([entry for fact in after for entry in book(fact, prices)]))
    assert set(facts_of(journal)) == {fact for fact in after if fact.use is not None}
    assert rebook(journal, after, prices) == [], "what is right already is left alone"
    back = journal + rebook(journal, before, PRICES.at(booked_at_ms))
    assert len({entry.id for entry in back}) == len(back)
    assert set(lines(back)) == set(lines(written))
    assert len(standing(back)) == len(written)


def test_prices_that_were_edited_go_on_for_the_calls_they_have_begun_to_price() -> None:
    (_, entries), old = recount(REF, [SPOKEN], PRICES), PRICES.at(5)
    edited = PriceList((), {old.label: old})
    assert recount(REF, [SPOKEN], edited, old.label)[1] == entries
    assert recount(REF, [SPOKEN], edited)[0].price_version.startswith("unpriced@")


@given(st.integers(-(10**19), 10**19))
def test_amounts_are_written_and_read_without_loss(amount: int) -> None:
    assert picos(plain(amount)) == amount
    assert Decimal(plain(amount)).scaleb(12) == amount


@given(st.decimals(0, 1_000, places=9), st.integers(0, 10**9), st.sampled_from([1, 1_000, 60_000, 1_000_000]))
def test_a_charge_is_rounded_once_to_the_nearest_pico_dollar(rate: Decimal, units: int, per: int) -> None:
    exact = Fraction(rate) * units * 10**12 / per
    assert abs(exact - charge(rate, units, per)) <= Fraction(1, 2)


def test_half_a_pico_dollar_is_rounded_to_the_even_one() -> None:
    assert [charge(Decimal("0.0000000000005"), units, 1) for units in (1, 2, 3, 5)] == [0, 1, 2, 2]


def test_what_is_finer_than_a_pico_dollar_is_no_amount() -> None:
    with pytest.raises(ValueError, match="12 decimals"):
        picos("0.0000000000001")
