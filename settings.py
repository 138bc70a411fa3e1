"""Every setting of Perdure: one frozen object, read once by each process's root and handed on as values.

Sources, first wins: the environment, the YAML file that PERDURE_CONFIG names, the defaults below. Importing this module
reads nothing. `docs/configuration.md` is made from the fields (`make docs`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from config_file import read_config_file
from schemas.alerts import check_rules, read_channels
from schemas.flow import BreakerSpec, read_rate
from schemas.model_providers import RESERVED, passwords, read_mixtures, read_providers

ROOT = Path(__file__).resolve().parent
ENV_PREFIX = "PERDURE_"
STACK_FILE = "stack.json"

Words = Annotated[tuple[str, ...], NoDecode]
"""Words with commas between them in the environment, a list in YAML."""


class SettingsInvalid(Exception):
    """A setting has a value it may not have; the message names each and says what is allowed."""


class _Group(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )


class Servers(_Group):
    """Where things listen and keep their data."""

    data_dir: Path = Field(
        default_factory=lambda: default_data_dir("up"),
        description="data of the embedded servers, logs and tokens; by default apart for each clone "
        "(as root below /var/lib/perdure, else `.data` in the clone)",
    )
    host: str = Field("127.0.0.1", description="address the web and relay processes listen on")
    port: int = Field(8400, ge=1, le=65533, description="port of the web process")
    relay_port: int = Field(
        default_factory=lambda data: data["port"] + 1,
        ge=1,
        le=65535,
        description="port of the relay, which holds open connections; by default the web port + 1",
    )
    flower_port: int = Field(
        default_factory=lambda data: data["port"] + 2,
        ge=1,
        le=65535,
        description="port of Flower, on loopback always; by default the web port + 2",
    )
    database_url: str = Field(
        "",
        validation_alias=AliasChoices("DATABASE_URL"),
        repr=False,
        description="PostgreSQL, `postgresql://user:password@host:port/name`; empty: `up` starts an embedded one",
    )
    redis_url: str = Field(
        "",
        validation_alias=AliasChoices("REDIS_URL"),
        repr=False,
        description="Valkey or Redis, `redis://:password@host:port/0`; empty: `up` starts an embedded one",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    log_format: Literal["text", "json"] = Field(
        "text", description="lines of `key=value` for people, or a JSON object a line (the container image sets `json`)"
    )
    otel_endpoint: str = Field(
        "",
        validation_alias=AliasChoices(
            "PERDURE_OTEL_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
        ),
        pattern="^(https?://.+)?$",
        repr=False,
        description="OTLP/HTTP collector that traces are sent to, such as `http://collector:4318` (also "
        "`OTEL_EXPORTER_OTLP_ENDPOINT`); empty: no traces",
    )
    otel_sample: float = Field(1.0, ge=0, le=1, description="share of the runs that are traced")
    config: Path | None = Field(None, description="YAML file with settings, see above")

    @property
    def broker_url(self) -> str:
        return self.redis_url


class Access(_Group):
    """Who may come in, from where and how much."""

    admin_token: str = Field(
        "", repr=False, description="presets the admin's token for automation; empty: one is made at the first start"
    )
    metrics_token: str = Field(
        "", repr=False, description="bearer token that reads `/metrics` and nothing else; empty: a viewer's token does"
    )
    allowed_origins: Words = Field((), description="further web origins that may call the API and open sockets")
    trusted_proxies: Words = Field((), description="addresses or networks whose X-Forwarded-* headers are believed")
    start_rate_limit: str = Field(
        "60/minute",
        pattern=r"^\d+\s*/\s*\d*\s*(second|minute|hour|day)s?$",
        description="starts of runs a caller may ask for",
    )
    chat_rate_limit: str = Field(
        "60/minute",
        pattern=r"^\d+\s*/\s*\d*\s*(second|minute|hour|day)s?$",
        description="answers of models a caller may ask for",
    )
    max_body_bytes: int = Field(8 * 1024**2, ge=1024, description="largest request body")


class Work(_Group):
    """How steps are held, retried, swept and ended."""

    worker_threads: int = Field(16, ge=1, le=1000, description="I/O steps at once (the worker `io` of `up`)")
    interactive_threads: int = Field(
        64, ge=1, le=1000, description="steps at once of interactive runs, such as answers (the worker `interactive`)"
    )
    worker_processes: int = Field(2, ge=1, le=256, description="killable steps at once (the worker `cpu` of `up`)")
    interactive_processes: int = Field(
        1, ge=1, le=256, description="killable steps at once of interactive runs (the worker `cpu-interactive` of `up`)"
    )
    disable_task_worker: bool = Field(
        False,
        validation_alias=AliasChoices("DISABLE_TASK_WORKER"),
        description="`up` starts no workers; runs are accepted and wait",
    )
    lease_s: float = Field(15, ge=1, le=3600, description="how long an attempt is held without a heartbeat")
    heartbeat_s: float = Field(1.0, gt=0, le=600, description="time between heartbeats; at most a third of the lease")
    sweep_interval_s: float = Field(1.0, gt=0, le=60, description="longest pause between two sweeps of the janitor")
    resend_s: float = Field(2.0, gt=0, le=600, description="age at which a ready step's message counts as lost")
    handover_ms: float = Field(
        100,
        ge=0,
        le=60_000,
        description="how long after a message came a worker that ends a step goes on with the next one of its queue, "
        "milliseconds; 0: a Celery task for each step",
    )
    stop_grace_s: float = Field(5, ge=0, le=600, description="time an action has to obey a stop before it is ended")
    drain_s: float = Field(
        60, ge=0, le=86400, description="time a worker gives its steps on SIGTERM before it hands them back (`up`: 5)"
    )
    attempt_timeout_s: float = Field(3600, gt=0, description="deadline of an attempt whose step sets none")
    max_steps: int = Field(10_000, ge=1, le=10_000, description="steps a run may have, added ones included")
    progress_interval_s: float = Field(0.5, ge=0.05, le=60, description="least time between two stored progress writes")
    retention_days: float = Field(30, ge=0, description="age at which finished runs are purged; 0 keeps them for ever")
    load_high: float = Field(
        0.85,
        gt=0,
        le=2,
        description="share of a host's processors, memory or disk in use from which on background steps get fewer "
        "places there; above 1: never",
    )
    load_critical: float = Field(
        0.95, gt=0, le=2, description="share from which on no background step begins there; above 1: never"
    )
    load_share: float = Field(
        0.25, gt=0, le=1, description="share of a worker's places that background steps get on a host with high load"
    )
    load_sample_s: float = Field(2.0, gt=0, le=5, description="time between two looks at the load of a host")

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> Work:
        if self.heartbeat_s * 3 > self.lease_s:
            raise ValueError(
                f"{ENV_PREFIX}HEARTBEAT_S ({self.heartbeat_s:g}) may be at most a third of "
                f"{ENV_PREFIX}LEASE_S ({self.lease_s:g})"
            )
        return self

    @model_validator(mode="after")
    def _critical_is_more_than_high(self) -> Work:
        if self.load_critical < self.load_high:
            raise ValueError(
                f"{ENV_PREFIX}LOAD_CRITICAL ({self.load_critical:g}) may not be less than "
                f"{ENV_PREFIX}LOAD_HIGH ({self.load_high:g})"
            )
        return self


class Flow(_Group):
    """Limits that hold over all workers."""

    rate_limits: Mapping[str, str] = Field(
        default_factory=dict,
        description='limits that steps name, such as `{"openai": "60/minute"}`; `rate_limits:` in YAML',
    )
    breakers: Mapping[str, dict[str, Any]] = Field(
        default_factory=dict,
        description='what a breaker does where a step does not say, such as `{"http:api.example.com:443": '
        '{"failure_threshold": 3, "recovery_s": 30}}`; `breakers:` in YAML',
    )
    retry_ratio: float = Field(
        0.2, ge=0, le=100, description="retries that each first attempt allows at steps that depend on the same"
    )
    retry_reserve: int = Field(10, ge=1, le=100_000, description="retries a minute that are allowed anyway")
    background_concurrency: int = Field(
        5, ge=1, le=10_000, description="steps at once of background runs, and of agents"
    )
    background_rate: str = Field(
        "10/second", description="steps that background runs may begin, and agents; `none`: any"
    )

    @model_validator(mode="after")
    def _limits_can_be_read(self) -> Flow:
        for rate in (*self.rate_limits.values(), *([self.background_rate] if self.background_rate != "none" else [])):
            read_rate(rate)
        for name, breaker in self.breakers.items():
            BreakerSpec.model_validate({"name": name} | breaker)
        return self


class Alerting(_Group):
    """When somebody is told that something is wrong, and how."""

    alerts: Mapping[str, dict[str, Any]] = Field(
        default_factory=dict,
        description='what is different from the defaults of rules, such as `{"queue_length": {"threshold": 50, '
        '"for_s": 300}, "lock_wait": {"enabled": false}}`; `alerts:` in YAML ([alerts](alerts.md))',
    )
    alert_channels: Mapping[str, dict[str, Any]] = Field(
        default_factory=dict,
        repr=False,
        description="who is told, by name: webhooks and mail; `alert_channels:` in YAML ([alerts](alerts.md#channels))",
    )

    @model_validator(mode="after")
    def _alerts_can_be_read(self) -> Alerting:
        check_rules(self.alerts)
        read_channels(self.alert_channels)
        return self


class Workflow(_Group):
    """What clients of `/workflow/*` are told; also the `workflow:` section of the YAML file."""

    workflow_step_delay_s: float = Field(
        5, ge=0, le=3600, description="pause between steps of a run started in the old form (a list and ssh_connection)"
    )
    poll_interval_s: float = Field(2, gt=0, le=3600, description="how often a client without a live channel asks")
    max_history: int = Field(50, ge=1, le=1000, description="runs on a page of history")
    cleanup_delay_s: float = Field(30, ge=0, description="how long a finished run stays the caller's current one")
    checkpoint_interval_steps: int = Field(5, ge=1, description="steps between two context snapshots of an agent")
    state_persistence: bool = Field(True, description="write `state_file` and `history_dir`, where they are set")
    state_file: Path | None = Field(None, description="export of the current state document, mode 0600; off by default")
    history_dir: Path | None = Field(None, description="export of finished runs, a file each; off by default")


class Actions(_Group):
    """Which actions exist and what they may touch."""

    actions: Words = Field((), description="modules imported for their actions; from the environment only")
    action_defaults: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="parameters an action gets when a step leaves them out: `actions:` in YAML"
    )
    ssh_keys_dir: Path | None = Field(None, description="directory whose file names are the keys a step may name")
    ssh_hosts: Words = Field((), description="hosts (`host` or `host:port`) that steps may reach; empty: all")
    sync_root: Path | None = Field(None, description="directory the local side of a sync must lie in; unset: no sync")
    repository_schemes: Words = Field(("https", "ssh"), description="URL schemes of repositories that may be cloned")
    secrets_dir: Path | None = Field(None, description="directory of secret files; also `PERDURE_SECRET_<NAME>`")
    http_allow: Words = Field((), description="private hosts or networks that `http.request` may reach")
    http_environment_proxy: bool = Field(False, description="`http.request` uses the proxy the environment names")
    python_callables: Words = Field((), description="dotted names that `python.call` may call besides registered ones")
    shell_command_enabled: bool = Field(False, description="admins may use `shell.command`")


class Chats(_Group):
    """How answers of models are written. `docs/chat-filters.md` is about the filters."""

    chat_store_s: float = Field(2.0, ge=0.1, le=60, description="a growing text is stored after so many seconds")
    chat_store_tokens: int = Field(100, ge=1, le=10_000, description="or so many pieces (tokens, as models send them)")
    chat_filters: Words = Field(
        (),
        description="filters that every answer passes, before those that were asked for; `chat_filters:` in YAML",
    )
    chat_filter_options: Mapping[str, dict[str, Any]] = Field(
        default_factory=dict,
        description='options of filters by name, such as `{"trim_context": {"max_tokens": 8000}}`; '
        "`chat_filter_options:` in YAML",
    )


class Models(_Group):
    """Which language models there are ([models](models.md))."""

    model_providers: Mapping[str, dict[str, Any]] = Field(
        default_factory=dict,
        repr=False,
        description="endpoints that speak OpenAI's chat completions, such as "
        '`{"openai": {"base_url": "https://api.openai.com/v1", "secret": "openai", "models": ["gpt-5"]}}`; '
        "`model_providers:` in YAML",
    )
    demo_models: bool = Field(
        True, description="offer the built-in `demo/...`, which are no language models (docker-compose.yml: 0)"
    )
    mixtures: Mapping[str, dict[str, Any]] = Field(
        default_factory=dict,
        description='mixtures of agents by name, such as `{"team": {"proposers": ["openai/gpt-5", "local/qwen3"], '
        '"aggregator": "openai/gpt-5"}}`; `mixtures:` in YAML',
    )
    default_model: str = Field(
        "", description="who answers where nobody is named; empty: the first one listed; `default_model:` in YAML"
    )
    server_side_orchestration: bool = Field(
        True,
        validation_alias=AliasChoices("PERDURE_SERVER_SIDE_ORCHESTRATION", "ENABLE_SERVER_SIDE_ORCHESTRATION"),
        description="answers are durable runs (also `ENABLE_SERVER_SIDE_ORCHESTRATION`); 0: they are passed through, "
        "and end with the connection of who asked",
    )

    @field_validator("model_providers")
    @classmethod
    def _providers_can_be_read(cls, providers: Mapping[str, dict[str, Any]]) -> Mapping[str, dict[str, Any]]:
        read_providers(providers)
        return providers

    @field_validator("mixtures")
    @classmethod
    def _mixtures_can_be_read(cls, mixtures: Mapping[str, dict[str, Any]]) -> Mapping[str, dict[str, Any]]:
        read_mixtures(mixtures)
        return mixtures

    @model_validator(mode="after")
    def _providers_are_there(self) -> Models:
        mixtures = read_mixtures(self.mixtures).values()
        named = [name for mixture in mixtures for name in (*mixture.proposers, mixture.aggregator)]
        for name in (*named, *([self.default_model] if self.default_model else [])):
            provider = name.partition("/")[0]
            if provider not in self.model_providers and provider not in RESERVED:
                raise ValueError(f"the model {name!r} is of no provider in {ENV_PREFIX}MODEL_PROVIDERS")
        return self


class Agents(_Group):
    """Bounds for agents and chats."""

    max_steps_agent: int = Field(50, ge=1, le=10_000, description="steps of one agent run")
    context_window_limit: int = Field(100_000, ge=1000, description="tokens of context kept for an agent")


class Testing(_Group):
    """For tests only."""

    testing: bool = Field(False, description="allow what only tests may do")
    fault_hook: str = Field(
        "", description="dotted name of `hook(point, run_id, step_key)`; refused without PERDURE_TESTING=1"
    )

    @model_validator(mode="after")
    def _fault_hook_needs_testing(self) -> Testing:
        if self.fault_hook and not self.testing:
            raise ValueError(f"{ENV_PREFIX}FAULT_HOOK works only with {ENV_PREFIX}TESTING=1")
        return self


class Settings(Testing, Agents, Models, Chats, Actions, Workflow, Alerting, Flow, Work, Access, Servers):
    """All settings. `load_settings()` reads them; tests may name single fields."""

    @field_validator(
        "actions", "allowed_origins", "trusted_proxies", "ssh_hosts", "repository_schemes", "http_allow",
        "python_callables", "chat_filters", mode="before",
    )  # fmt: skip
    @classmethod
    def _split_words(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("data_dir", "ssh_keys_dir", "sync_root", "secrets_dir", "state_file", "history_dir", "config")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _ConfigFile(settings_cls, init_settings, env_settings)

    def require_servers(self) -> Settings:
        """These settings, for a process that needs both servers.

        Raises: SettingsInvalid when one is neither set nor run by a stack in the data directory.
        """
        for variable, url in (("DATABASE_URL", self.database_url), ("REDIS_URL", self.redis_url)):
            if not url:
                raise SettingsInvalid(f"{variable} is not set, and no `perdure up` runs on {self.data_dir}")
        return self

    def own_secrets(self) -> tuple[str, ...]:
        """The values among these settings that no log may show."""
        of_urls = (urlsplit(url).password for url in (self.database_url, self.redis_url, self.otel_endpoint))
        found = (*of_urls, *passwords(self.model_providers), self.admin_token, self.metrics_token)
        return tuple(unquote(secret) for secret in found if secret)

    @property
    def filter_options(self) -> Mapping[str, Mapping[str, Any]]:
        """The options of chat filters by name, with what other settings say of them."""
        options = self.chat_filter_options
        return {**options, "trim_context": {"max_tokens": self.context_window_limit} | options.get("trim_context", {})}

    @property
    def web_url(self) -> str:
        """The web process as clients on this machine reach it."""
        return _local_url(self.host, self.port)

    @property
    def relay_url(self) -> str:
        """The relay as clients on this machine reach it."""
        return _local_url(self.host, self.relay_port)


GROUPS: tuple[type[BaseSettings], ...] = (
    Servers,
    Access,
    Work,
    Flow,
    Alerting,
    Workflow,
    Actions,
    Chats,
    Models,
    Agents,
    Testing,
)


def load_settings(*, attach: bool = True, **fields: Any) -> Settings:
    """Read the settings; `fields` win over every source.

    With `attach`, server URLs that are not set are taken from the stack that `perdure up` runs in the data directory,
    so that `celery -A workers inspect ping` beside it finds the embedded broker.
    Raises: SettingsInvalid.
    """
    try:
        settings = Settings(**fields)
        if attach:
            known = read_stack(settings.data_dir)
            found = {name: known[name] for name in ("database_url", "redis_url") if known.get(name)}
            missing = {name: url for name, url in found.items() if not getattr(settings, name)}
            settings = settings.model_copy(update=missing)
    except ValidationError as error:
        raise SettingsInvalid("; ".join(_sentences(error))) from error
    except SettingsError as error:  # it names the field; what it is raised from quotes the value
        raise SettingsInvalid(f"{error}: it is not JSON") from None
    return settings


def read_stack(data_dir: Path) -> dict[str, Any]:
    """What `perdure up` wrote about the stack in this directory: URLs and process ids; empty when none runs."""
    try:
        known: dict[str, Any] = json.loads((data_dir / STACK_FILE).read_text())
    except (OSError, ValueError):
        return {}
    try:
        os.kill(known["pid"], 0)
    except ProcessLookupError:  # it was killed before it could remove the file
        return {}
    except PermissionError:  # it runs under another account
        pass
    return known


def default_data_dir(purpose: str) -> Path:
    """Where `up`, `demo` or `tests` keep their data when no setting says so.

    Each clone and each purpose has its own. As root it lies under /var/lib, where the account the servers run as can
    reach it; otherwise in the clone, or in the user's state directory when Perdure was installed as a package.
    """
    clone = hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    if os.geteuid() == 0:
        return Path("/var/lib/perdure") / clone / purpose
    if (ROOT / "pyproject.toml").exists() and os.access(ROOT, os.W_OK):
        return ROOT / ".data" / purpose
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return state / "perdure" / clone / purpose


def variable_of(name: str, field: FieldInfo) -> str:
    """The environment variable that sets a field."""
    if isinstance(field.validation_alias, AliasChoices):
        return str(field.validation_alias.choices[0])
    return ENV_PREFIX + name.upper()


class _ConfigFile(PydanticBaseSettingsSource):
    """The YAML file that the stronger sources name, as a source of settings."""

    def __init__(self, settings_cls: type[BaseSettings], *stronger: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._stronger = stronger

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        named = (source().get("config") for source in self._stronger)
        path = next((name for name in named if name), None)
        try:
            return {} if path is None else read_config_file(Path(path))
        except ValueError as error:
            raise SettingsInvalid(f"{ENV_PREFIX}CONFIG: {error}") from error


def _local_url(host: str, port: int) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{port}"


def _sentences(error: ValidationError) -> list[str]:
    """The problems without the values, which may be secrets, and without those that only follow from others."""
    sentences = []
    for problem in error.errors():
        name = str(problem["loc"][0]) if problem["loc"] else ""
        field = Settings.model_fields.get(name)
        where = f"{variable_of(name, field) if field else name}: " if name else ""
        if problem["type"] != "default_factory_not_called":
            sentences.append(where + problem["msg"].removeprefix("Value error, "))
    return sentences
