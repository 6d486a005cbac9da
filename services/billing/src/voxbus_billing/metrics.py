"""Instruments of billing; counts of events."""

from prometheus_client import Counter

EVENTS_COUNTED = Counter("voxbus_billing_events_counted", "Events entered into the ledger.", ["event"])
DOUBLES_SKIPPED = Counter("voxbus_billing_doubles_skipped", "Delivered again and not counted again.", ["event"])
