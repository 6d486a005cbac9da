"""Events of the log → the facts that the ledger counts. Pure."""

from voxbus_billing.journal import Fact, Use
from voxbus_contracts import Envelope, Message
from voxbus_contracts.events import UsageRecorded


def counts(name: str) -> bool:
    """Whether an event of this name is one of billing's: its consumer's filter, in words."""
    return name == UsageRecorded.name() or name.startswith("call.")


def fact_of(envelope: Envelope, message: Message) -> Fact:
    """Event → fact."""
    if not isinstance(message, UsageRecorded):
        return Fact(envelope.event_id, message.name(), envelope.occurred_at_ms)
    use = Use(
        item=message.item,
        provider=_storable(message.provider),
        model=_storable(message.model),
        unit=message.unit,
        quantity=message.quantity,
        purpose=message.purpose or "",
        wasted=message.wasted,
    )
    return Fact(envelope.event_id, message.name(), envelope.occurred_at_ms, use)


def _storable(text: str) -> str:
    """PostgreSQL's texts cannot hold a NUL, which customers' names of models can."""
    return text.replace("\0", "")
