"""Who may listen to a call that goes on, and control it, and where."""

from voxbus_contracts.api_model import ApiModel


class MonitorPlan(ApiModel):
    """An assistant's wish. Without authentication whoever has an address may use it; with it a key is needed, too."""

    listen_enabled: bool = True
    listen_authentication_enabled: bool = False
    control_enabled: bool = True
    control_authentication_enabled: bool = False
    monitor_ids: tuple[str, ...] = ()


class MonitorAddresses(ApiModel):
    """`monitor` of a call, as its answers and messages have it; None = not to be had.

    Each is the bearer secret of one call and one purpose, so a call's configuration holds them sealed.
    """

    listen_url: str | None = None
    control_url: str | None = None
