"""Settings all services share, read from the environment (`VOXBUS_NATS_URL` …)."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from voxbus_runtime.turns import SHORT_TURN_US


class ServiceSettings(BaseSettings):
    """Base of every service's settings; frozen, prefix `VOXBUS_`, unknown variables ignored."""

    model_config = SettingsConfigDict(
        env_prefix="VOXBUS_", frozen=True, extra="ignore", use_attribute_docstrings=True, env_ignore_empty=True
    )

    nats_url: str = "nats://127.0.0.1:4222"
    """Server or comma-separated servers of the bus."""

    data_dir: Path = Path(".voxbus")
    """Where databases, keys and logs of one machine live."""

    objects_url: str = ""
    """Recordings, archives and files: a folder or s3://bucket/prefix?endpoint=…; empty = `objects` in data_dir."""

    database_url: SecretStr | None = None
    """`postgresql://user:password@host/name`, in which each service keeps a schema; none = SQLite files in data_dir."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is written."""

    log_format: Literal["json", "text"] = "json"
    """json for machines, text for people."""

    grpc_host: str = "127.0.0.1"
    """Address the control port listens on and is announced by; the pod's address in a cluster."""

    grpc_port: int = Field(default=0, ge=0, le=65_535)
    """0 = any free one, announced in OWNERS and heartbeats."""

    metrics_port: int = Field(default=0, ge=0, le=65_535)
    """Prometheus text is served here; 0 = not at all."""

    share_ports: bool = False
    """Another process of this service may listen on the same ports (SO_REUSEPORT): `voxbus restart` starts the new one
    before the old one stops, so that nobody finds the door closed."""

    cluster_key: SecretStr | None = None
    """Fernet key that opens sealed secrets; the same for all services of an installation."""

    otlp_endpoint: str | None = None
    """Where spans go (gRPC); none = spans are made for context only and dropped."""

    slots: int = Field(default=100, ge=1)
    """Calls one worker of a stage takes at a time. With all taken it leaves new ones on the queue, where their callers
    wait; measure your own with `voxbus bench`, this default suits one core per worker and engines that keep up."""

    overload_lag_ms: float = Field(default=250, ge=10, le=10_000)
    """A worker whose event loop is later than this, one time in twenty over 10 s, takes no new calls until it is not.
    Audio comes every 20 ms: at this lag the calls it has already sound broken, at a tenth of it they do not."""

    audio_gather_ms: float = Field(default=0.5, ge=0, le=20)
    """Frames that come within this time of the last write leave together; a frame that comes alone does not wait. From
    some twenty calls on the time grows with how much is sent, to 5 ms."""

    audio_listen_every_ms: float = Field(default=0, ge=0, le=200)
    """How often audio is read from the bus; 0 = as it comes. For services that only keep it: fewer wakings."""

    turn_slice_us: int = Field(default=SHORT_TURN_US, ge=0, le=100_000)
    """How long media-ingress, vad, stt-worker and tool-runner ask to run at a time when others wait for the processor,
    so that they are let in soon when a frame or a tool call comes (Linux 6.12 and newer; elsewhere nothing happens);
    0 = as the system likes."""

    turn_niceness: int = Field(default=0, ge=-20, le=0)
    """The niceness those services ask for with it, where the system allows it (root, CAP_SYS_NICE, LimitNICE=): the
    lower, the sooner they are let in before others; 0 = like everybody else. With -15 frames are in time on a busy
    machine, at the price of whatever else is to be done there: see docs/adr/0029."""

    worker_id: str = ""
    """Name of this worker, unique per start; made up when empty."""

    stub_providers: bool = False
    """Assistants may name providers that only pretend, for benchmarks (`voxbus bench` sets it)."""

    guard_allow: str = ""
    """Networks customers' addresses may lie in although they are private, e.g. `127.0.0.0/8,10.1.0.0/16`."""

    @property
    def objects_address(self) -> str:
        """The object store's URL."""
        return self.objects_url or str(self.data_dir / "objects")

    def database_or(self, default: str) -> str:
        """The database's address that is set, else `default`."""
        return self.database_url.get_secret_value() if self.database_url else default
