"""Starts the billing service."""

from voxbus_billing.settings import Settings
from voxbus_billing.wiring import wire
from voxbus_runtime.service import main

if __name__ == "__main__":
    main("billing", Settings, wire)
