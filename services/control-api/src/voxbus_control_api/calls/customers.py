"""Who is called: one customer, or a batch of them. Pure."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from voxbus_control_api.errors import BadRequest
from voxbus_control_api.problems import validated

Json = dict[str, Any]

MOST_CUSTOMERS: Final = 1_000
"""Of one batch: every one of them is a call that is started before the answer."""

_E164: Final = re.compile(r"\+[1-9][0-9]{1,14}")
_DIALLABLE: Final = re.compile(r"\+?[a-zA-Z0-9]+")
_SIP: Final = re.compile(r"sips?:[^\s@]+(@[^\s@]+)?")


class Customer(BaseModel):
    """Whom to call: a number or a SIP address; unknown fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel)

    number_e164_check_enabled: Annotated[bool, Field(alias="numberE164CheckEnabled")] = True
    number: Annotated[str | None, Field(min_length=3, max_length=40)] = None
    sip_uri: str | None = None
    extension: Annotated[str | None, Field(max_length=10)] = None
    name: Annotated[str | None, Field(max_length=40)] = None
    email: Annotated[str | None, Field(max_length=40)] = None
    external_id: Annotated[str | None, Field(max_length=40)] = None
    assistant_overrides: Json = {}
    squad_overrides: Json = {}

    @field_validator("number")
    @classmethod
    def _is_diallable(cls, number: str | None, info: ValidationInfo) -> str | None:
        if number is None:
            return None
        if info.data.get("number_e164_check_enabled", True):
            if not _E164.fullmatch(number):
                raise ValueError("must be a phone number in the E.164 format, such as +14155551234")
        elif not _DIALLABLE.fullmatch(number):
            raise ValueError("must hold only letters and digits, after an optional +")
        return number

    @field_validator("sip_uri")
    @classmethod
    def _is_sip(cls, uri: str | None) -> str | None:
        if uri is not None and not _SIP.fullmatch(uri):
            raise ValueError("must be a SIP address, such as sip:user@example.org")
        return uri

    @property
    def can_be_called(self) -> bool:
        return self.number is not None or self.sip_uri is not None

    def variables(self) -> Json:
        """What templates know as `customer`."""
        dumped = self.model_dump(by_alias=True, exclude_none=True)
        return {name: value for name, value in dumped.items() if not name.endswith("Overrides")}


@dataclass(frozen=True, slots=True)
class Batch:
    """`customers[]` taken apart: a body for each that can be called, and those that cannot, with the reason."""

    bodies: tuple[Json, ...]
    errors: tuple[Json, ...]


def split(body: Json) -> Batch:
    """Raises BadRequest when `customers` is not a list of objects, empty, or too long."""
    customers = body.get("customers")
    if not isinstance(customers, list) or not 1 <= len(customers) <= MOST_CUSTOMERS:
        raise BadRequest(f"customers must be a list of 1 to {MOST_CUSTOMERS} customers")
    rest = {name: value for name, value in body.items() if name != "customers"}
    bodies: list[Json] = []
    errors: list[Json] = []
    for customer in customers:
        problem = _problem(customer)
        if problem:
            errors.append({"customer": customer, "error": problem})
        else:
            bodies.append({**rest, "customer": customer})
    return Batch(tuple(bodies), tuple(errors))


def _problem(customer: Any) -> str:
    if not isinstance(customer, dict):
        return "customer must be an object"
    try:
        read = validated(Customer, {name: value for name, value in customer.items() if value is not None}, "customer")
    except BadRequest as wrong:
        return "; ".join(wrong.problems)
    return "" if read.can_be_called else "customer.number or customer.sipUri must be given"
