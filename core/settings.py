"""What an operator can set, all of it by environment variables named `KEYTURN_...`."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.addresses import Network, parse_networks
from core.auth_methods import parse_auth_methods
from core.dial import LOOPBACK
from core.durations import Duration
from core.errors import Misconfigured
from core.sealing import MasterKey, MasterKeys


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _networks(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_networks(value)
    except ValueError:
        raise ValueError("give addresses or networks, separated by commas") from None


def _auth_methods(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_auth_methods(value)
    except ValueError:
        raise ValueError("give addresses of auth methods, separated by commas") from None


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


AuthMethods = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_auth_methods)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)
]


def _data_dir() -> Path:
    share = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(share) / "keyturn"


class Settings(BaseSettings):
    """One immutable reading of the environment, made in each entry point and passed down."""

    model_config = SettingsConfigDict(
        env_prefix="KEYTURN_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default_factory=_data_dir,
        description="Where `keyturn up` keeps its database, master key and first admin's token.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy URL, e.g. postgresql+psycopg://user:password@host/keyturn. "
        "Unset: an SQLite file in the data folder.",
    )
    broker_url: SecretStr | None = Field(
        default=None,
        description="Celery's broker: redis://... or amqp://.... Unset: in memory, "
        "which only `keyturn up` can use.",
    )
    master_keys: SecretStr | None = Field(
        default=None,
        description="Base64 master keys separated by commas: the first wraps, all unwrap.",
    )
    master_keys_file: Path | None = Field(
        default=None, description="A file with one base64 master key a line, instead."
    )
    file_root: Path | None = Field(
        default=None,
        description="The folder that file sinks and mailbox notifiers write below. "
        "Unset: they are refused.",
    )
    ambient_credentials: bool = Field(
        default=False,
        description="Whether integrations may use this host's own cloud identity.",
    )
    ambient_vaults: AuthMethods = Field(
        default=(),
        description="The auth methods of Vaults that Keyturn may log in to by the service account "
        "of its own pod, separated by commas: https://vault.example.com:8200/v1/auth/kubernetes.",
    )
    excluded_networks: Networks = Field(
        default=(),
        description="Where integrations may not connect to, as addresses or networks separated "
        "by commas, beside this host, link-local addresses and clouds' metadata services.",
    )
    allowed_networks: Networks = Field(
        default=(),
        description="Exceptions from what is refused by itself, such as 127.0.0.1 for a store "
        "on this host. What is excluded stays excluded.",
    )
    outbound_proxy: SecretStr | None = Field(
        default=None,
        description="The HTTP proxy that integrations are called through: "
        "http://user:password@host:3128. HTTPS_PROXY and its like are not read.",
    )
    proxy_resolves: bool = Field(
        default=False,
        description="The proxy is given names instead of checked addresses, and is trusted to "
        "refuse internal ones: for hosts that cannot resolve outside names.",
    )
    tick: Duration = Field(
        default=timedelta(seconds=1),
        description="How often beat looks for due work.",
    )
    rotation_batch: int = Field(
        default=500, ge=1, le=5_000, description="How many accounts one rotation batch claims."
    )
    worker_threads: int = Field(
        default=8, ge=2, le=200, description="How many lanes one worker drains at the same time."
    )
    digest_window: Duration = Field(
        default=timedelta(seconds=60),
        le=timedelta(hours=1),
        description="How long a notice waits for others to the same recipient, which then go as "
        "one message; critical ones go at once. 0s: each goes alone.",
    )
    fallback_after: Duration = Field(
        default=timedelta(minutes=30),
        ge=timedelta(minutes=1),
        description="How long a channel is dead, because it does not answer or is paused, before "
        "what it cannot tell goes to the next target as well.",
    )
    drift_check: Duration = Field(
        default=timedelta(hours=6),
        description="How often each place in a store is compared with what it should hold. "
        "0s: never by itself.",
    )
    delivery_retention: Duration = Field(
        default=timedelta(days=90), description="How long finished deliveries are kept."
    )
    event_retention: Duration = Field(
        default=timedelta(days=400), description="How long events are kept."
    )
    audit_retention: Duration = Field(
        default=timedelta(days=400), description="How long rows of the audit log are kept."
    )
    templates: Path | None = Field(
        default=None,
        description="A folder with your own texts of notices; what it lacks is as Keyturn has it.",
    )
    public_url: str = Field(
        default="http://127.0.0.1:8400", description="Where people reach Keyturn; used in links."
    )
    signing_key_age: Duration = Field(
        default=timedelta(days=90),
        ge=timedelta(hours=1),
        description="How long one key signs a tenant's JWTs before the next one takes over.",
    )
    provider_keys_kept: Duration = Field(
        default=timedelta(hours=24),
        ge=timedelta(minutes=5),
        le=timedelta(days=30),
        description="How long the keys of an identity provider that does not answer are believed. "
        "While it answers, they are fetched again every five minutes.",
    )
    exchanged_token_life: Duration = Field(
        default=timedelta(hours=1),
        ge=timedelta(minutes=1),
        le=timedelta(hours=1),
        description="How long a token works that a workload got for its identity provider's JWT; "
        "at most 1h.",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="The proxies before Keyturn, as addresses or networks separated by commas: "
        "only from them is X-Forwarded-For believed.",
    )
    metrics_token: Annotated[SecretStr | None, BeforeValidator(_none_if_empty)] = Field(
        default=None,
        description="The bearer token that `GET /metrics` asks for. Unset: it is answered to "
        "programs on the API's own host alone.",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="Where `keyturn worker` serves its metrics, on all addresses. Unset: nowhere.",
    )
    max_body: int = Field(
        default=1_048_576, ge=1_024, description="How many bytes the body of a call may have."
    )
    failed_logins: int = Field(
        default=30,
        ge=1,
        description="How many failed logins a minute are looked up for one address, and for one "
        "token; more are answered with 429.",
    )
    verify_ttl: Duration = Field(
        default=timedelta(seconds=5),
        gt=timedelta(0),
        le=timedelta(seconds=5),
        description="How long an API process that hears of no changes goes on answering verify "
        "from memory; at most 5s.",
    )
    verify_capacity: int = Field(
        default=100_000,
        ge=100,
        le=10_000_000,
        description="How many tokens an API process keeps in memory for verify, at 2 to 3 kB each.",
    )
    log_json: bool = Field(
        default=False, description="Logs as JSON lines (for collectors) instead of text."
    )
    log_level: LogLevel = Field(
        default="INFO",
        description="The least level that is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL.",
    )

    def at_home(self) -> Self:
        """These settings in a data folder of one's own, where more is allowed."""
        folder = self.data_dir.expanduser().resolve()
        return self.model_copy(
            update={
                "data_dir": folder,
                "file_root": self.file_root or folder / "files",
                "ambient_credentials": True,
                "allowed_networks": (*self.allowed_networks, *LOOPBACK),
            }
        )

    @property
    def database(self) -> str:
        """The database's URL; contains its password, so it is never logged."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'keyturn.db'}"

    @property
    def broker(self) -> str:
        return self.broker_url.get_secret_value() if self.broker_url else "memory://localhost/"

    def keys(self) -> MasterKeys:
        """The master keys that are configured, in their order; Misconfigured if unreadable."""
        if self.master_keys and self.master_keys_file:
            raise Misconfigured("Set KEYTURN_MASTER_KEYS or KEYTURN_MASTER_KEYS_FILE, not both.")
        if self.master_keys:
            lines = self.master_keys.get_secret_value().split(",")
        elif self.master_keys_file:
            lines = _read(self.master_keys_file)
        elif (own := self.data_dir / "master-key").exists():
            lines = _read(own)
        else:
            lines = []
        return MasterKeys([MasterKey.parse(line) for line in lines if line.strip()])


def _read(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError as error:
        raise Misconfigured(
            f"The master keys' file {path} cannot be read: {error.strerror}."
        ) from None
    except UnicodeDecodeError:
        raise Misconfigured(
            f"The master keys' file {path} is not text: put base64 in it."
        ) from None
