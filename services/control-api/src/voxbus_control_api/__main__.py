"""Starts the control API."""

from voxbus_control_api.settings import Settings
from voxbus_control_api.wiring import wire
from voxbus_runtime.service import main

if __name__ == "__main__":
    main("control-api", Settings, wire)
