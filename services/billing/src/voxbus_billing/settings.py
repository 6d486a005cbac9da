"""Settings of billing (`VOXBUS_BILLING_…`)."""

from pathlib import Path

from voxbus_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """Everything that can be set."""

    billing_prices: Path | None = None
    """TOML table of prices; none = the package's own, in which everything costs nothing (you host it yourself)."""
