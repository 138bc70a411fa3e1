"""What a process that runs actions holds: made once per process, after the fork."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from messaging.breakers import ValkeyBreakers
from messaging.celery_app import make_celery
from messaging.dispatcher import CeleryDispatcher
from messaging.rate_limits import ValkeyRateLimits
from messaging.retry_budget import ValkeyRetryBudgets
from messaging.stream import EventStream
from messaging.traced import traced
from orchestration.actions.registry import load_actions
from orchestration.engine.attempts import Attempts
from orchestration.engine.breaker_history import BreakerHistory
from orchestration.engine.breaker_orders import BreakerOrders
from orchestration.engine.locks import Locks
from orchestration.gates import BreakerGate, RateLimitGate
from orchestration.gates.load import LoadGate
from orchestration.gates.retry_budget import RetryBudgetGate
from orchestration.models.registry import ModelRegistry
from orchestration.secrets import SecretStore
from orchestration.store.database import Database
from schemas.flow import read_rate
from schemas.statuses import RunKind
from settings import Settings
from workers.acting import Acting
from workers.emitter import Flusher
from workers.gating import WAVE, FlowDefaults, Gating
from workers.keeper_client import KeeperClient
from workers.resources import Meter
from workers.runner import FaultHook, Runner
from workers.task_events import TaskEvents
from workers.texts import TextPace
from workers.tracing import AttemptTraces

if TYPE_CHECKING:
    from tracing_otel import Tracing

log = logging.getLogger("perdure.worker")

# How long a busy main process may take to tell of a drain.
TERM_PATIENCE_S = 3.0

# More threads than these share them.
MOST_CONNECTIONS = 16

# What actions may read of the settings, by name; they never see URLs or tokens of the system itself.
ACTION_SETTINGS = (
    "ssh_keys_dir",
    "ssh_hosts",
    "sync_root",
    "repository_schemes",
    "http_allow",
    "http_environment_proxy",
    "python_callables",
    "shell_command_enabled",
    "alert_channels",
)


class WorkerProcess:
    """One process that runs actions: a prefork child, or the main process of a threads worker."""

    def __init__(
        self,
        settings: Settings,
        *,
        owner: str,
        hostname: str,
        keeper_path: str,
        role: str,
        threads: int,
        load_gate: LoadGate,
        tracing: Tracing | None = None,
    ) -> None:
        self._is_child = role == "child"
        self.meter = Meter(alone=self._is_child)
        self.keeper = KeeperClient(
            keeper_path, role=role, on_gone=self._keeper_gone, on_abandoned=self._thread_abandoned
        )
        # One connection for each thread that acts, and one for the flusher. Many threads are there to wait for others,
        # such as models, and share.
        database = Database(
            settings.database_url,
            name=f"perdure {owner}",
            size=min(threads, MOST_CONNECTIONS) + 1,
            keeps=threads <= MOST_CONNECTIONS,
        )
        events = EventStream(settings.redis_url)
        app = make_celery(settings.redis_url)
        self._dispatcher, self._events = CeleryDispatcher(app), events
        attempts = Attempts(
            database,
            traced(self._dispatcher, tracing),
            events,
            lease_s=settings.lease_s,
            resend_s=settings.resend_s,
        )
        readable = action_settings(settings)
        self._models: ModelRegistry = readable["models"]
        self.runner = Runner(
            owner=owner,
            attempts=attempts,
            keeper=self.keeper,
            acting=Acting(
                actions=load_actions(settings.actions),
                gating=gating(settings, attempts, load_gate),
                action_settings=readable,
            ),
            flusher=Flusher(settings.progress_interval_s),
            secrets=SecretStore(settings.secrets_dir, os.environ),
            fault_hook=load_fault_hook(settings),
            hand_over_s=settings.handover_ms / 1000,
            task_events=TaskEvents(app, hostname),
            meter=self.meter,
            traces=AttemptTraces(tracing) if tracing is not None else None,
            text_pace=TextPace(settings.chat_store_s, settings.chat_store_tokens),
            tail=events,
            load_gate=load_gate,
        )

    def attempt(self, run_id: str, position: int) -> None:
        """Try the step that a message named."""
        with survive_group_term(self.keeper.draining) if self._is_child else nullcontext():
            self.runner.attempt(run_id, position)

    def prepare_models(self) -> None:
        """Load in the background what the first answer of a model would wait for, about a second.

        Not before children are forked: one that is forked in the midst of an import waits for its end for ever.
        """
        threading.Thread(target=self._models.prepare, name="perdure-models", daemon=True).start()

    @property
    def dropped(self) -> tuple[int, int]:
        """How many messages and events this process has given up since it started."""
        return self._dispatcher.dropped, self._events.dropped

    def _keeper_gone(self) -> None:
        # Without its keeper nobody renews the leases: the work would be given away while it still runs.
        log.critical("the keeper is gone, this process ends")
        os.kill(os.getpid(), signal.SIGKILL)

    def _thread_abandoned(self) -> None:
        log.error("a step's thread did not stop in time and was abandoned; this worker drains and is replaced")
        os.kill(os.getpid(), signal.SIGTERM)


def action_settings(settings: Settings) -> Mapping[str, Any]:
    """The settings that actions may read."""
    values = {name: getattr(settings, name) for name in ACTION_SETTINGS}
    return values | {
        "known_hosts": settings.data_dir / "known_hosts",
        "models": model_registry(settings),
        "chat_filter_options": settings.filter_options,
    }


def model_registry(settings: Settings) -> ModelRegistry:
    """The models that actions may ask. It connects to none before it is asked."""
    return ModelRegistry(
        settings.model_providers,
        demo_models=settings.demo_models,
        mixtures=settings.mixtures,
        default=settings.default_model,
    )


def gating(settings: Settings, attempts: Attempts, load_gate: LoadGate) -> Gating:
    """The gates, cheapest first."""
    history = BreakerHistory(attempts.database)
    breakers = ValkeyBreakers(settings.redis_url, orders=BreakerOrders(attempts.database).known)
    return Gating(
        (
            load_gate,
            RetryBudgetGate(
                ValkeyRetryBudgets(settings.redis_url, ratio=settings.retry_ratio, reserve=settings.retry_reserve)
            ),
            BreakerGate(
                breakers,
                history.note,
                lambda on: attempts.wake_waiting(on, WAVE),
                stop_grace_s=settings.stop_grace_s,
            ),
            RateLimitGate(ValkeyRateLimits(settings.redis_url)),
        ),
        Locks(attempts),
        flow_defaults(settings),
        attempts.wake_waiting,
    )


def flow_defaults(settings: Settings) -> FlowDefaults:
    """What the settings say of limits and of kinds of runs."""
    kinds = [kind for kind in RunKind if kind.is_background]
    rate = settings.background_rate if settings.background_rate != "none" else None
    return FlowDefaults(
        rate_limits={name: read_rate(text, name) for name, text in settings.rate_limits.items()},
        breakers=settings.breakers,
        kind_places=dict.fromkeys(kinds, settings.background_concurrency),
        kind_rates={kind: read_rate(rate, f"kind:{kind}") for kind in kinds} if rate else {},
    )


def load_fault_hook(settings: Settings) -> FaultHook:
    """The callable named by PERDURE_FAULT_HOOK; settings refuse it outside of tests."""
    if not settings.fault_hook:
        return lambda _point, _run_id, _step_key: None
    module, _, name = settings.fault_hook.rpartition(".")
    hook: FaultHook = getattr(importlib.import_module(module), name)
    return hook


@contextmanager
def survive_group_term(draining: threading.Event) -> Iterator[None]:
    """While a pool child acts: a SIGTERM sent to the whole group is the parent's to answer, by a drain.

    Sent to the child alone (`celery control terminate`), it ends the child once it is clear that there is no drain. An
    idle child ends at once, as ever: billiard's handler stands outside of this, and inside it would raise SystemExit in
    the midst of the action. Billiard sets it after Celery's signals, so ours cannot be set any earlier.
    """
    asked = threading.Event()

    def end_unless_draining() -> None:
        if not draining.wait(TERM_PATIENCE_S):
            os.kill(os.getpid(), signal.SIGKILL)

    def on_term(_signal: int, _frame: object) -> None:
        asked.set()
        threading.Thread(target=end_unless_draining, daemon=True).start()

    before = signal.signal(signal.SIGTERM, on_term)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if asked.is_set() and not draining.is_set():
            # Before the next step is taken, which would be killed in its beginning.
            os.kill(os.getpid(), signal.SIGTERM)
