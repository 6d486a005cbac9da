"""What can go wrong in billing.

BillingError
└── BadPriceTable    not retryable: the price table cannot be used; the text names version, row and field
"""

from typing import ClassVar


class BillingError(Exception):
    """Base of all."""

    code: ClassVar[str] = "billing-error"
    retryable: ClassVar[bool] = False


class BadPriceTable(BillingError):
    """A price table that cannot be used."""

    code = "bad-price-table"
