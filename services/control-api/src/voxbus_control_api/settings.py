"""Settings of the control API."""

from pydantic import Field, SecretStr

from voxbus_contracts.identity import DEMO_ASSISTANT
from voxbus_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """Everything that can be set."""

    api_host: str = "127.0.0.1"
    """Address the API listens on."""

    api_port: int = Field(default=8080, ge=0, le=65_535)
    """Port the API listens on; 0 = any free one (tests)."""

    api_url: str = ""
    """How clients reach the API, for the addresses in its answers; empty = host and port above."""

    api_key: SecretStr | None = None
    """First private key; none = one is made up and written to `<data_dir>/api-key`, readable by its owner only."""

    secret_key: SecretStr | None = None
    """Fernet keys, comma-separated, for stored secrets: the first encrypts, all decrypt, and a start encrypts anew what
    an older one did. None = one made from the cluster key, else one kept in a file of the data folder."""

    api_max_body_bytes: int = Field(default=1024 * 1024, ge=1024)
    """A longer request is refused with 413; prompts are long, files are not sent here."""

    api_max_file_bytes: int = Field(default=50 * 1024 * 1024, ge=1024)
    """A longer uploaded file is refused with 413. A file is held in memory while it is stored."""

    api_rate_per_s: float = Field(default=1_000, ge=0)
    """Requests a key may make per second in the long run, answered 429 beyond; 0 = any number. Each replica counts."""

    api_rate_burst: int = Field(default=2_000, ge=1)
    """Requests a key may make at once: pages and scripts come in bursts."""

    concurrency_limit: int = Field(default=100, ge=1)
    """Calls of an organisation at a time, unless its own limit says otherwise; as many as a worker has slots."""

    artifact_url_s: int = Field(default=3_600, ge=60, le=604_800)
    """How long the address of a recording or log that needs no header works; S3 signs for 7 days at most."""

    media_url: str = "ws://127.0.0.1:8081"
    """How callers reach media-ingress; `/<call>/transport` is appended."""

    private: bool = False
    """Nothing of what is said on any call is stored, as with an assistant's compliancePlan.hipaaEnabled."""

    join_timeout_ms: int = Field(default=20_000, ge=100)
    """A call nobody connected to, or no orchestrator claimed, is ended after this long; the public service's 20 s."""

    chat_timeout_ms: int = Field(default=60_000, ge=1_000, le=600_000)
    """A chat, tools and all, that is not answered after this long has failed: as long as the official clients wait."""

    chat_claim_timeout_ms: int = Field(default=10_000, ge=500, le=60_000)
    """A chat that no llm-orchestrator takes within this is given up: a dead one is replaced within 3 s."""

    report_within_ms: int = Field(default=10_000, ge=0, le=600_000)
    """An end-of-call report waits this long for recording and cost, then goes without; recordings take some seconds."""

    analysis_within_ms: int = Field(default=30_000, ge=0, le=600_000)
    """And so long for the analysis of the call, which asks a model and is asked again once where that helps."""

    default_assistant: str = DEMO_ASSISTANT
    """Id of the demo assistant made at first start."""

    demo_server_url: str = "http://127.0.0.1:8090/tools/order-status"
    """Where the demo assistant's tool is."""
