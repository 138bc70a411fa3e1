"""One Celery task an action, under the action's own name, so that operators see it in Flower and `celery inspect`."""

from __future__ import annotations

from typing import Any

from celery import Celery

from orchestration.engine.planning import Actions
from workers.lifecycle import Lifecycle


def register_actions(app: Celery, actions: Actions, lifecycle: Lifecycle) -> None:
    """Make each action a task. A message is a hint: delivered twice, one delivery claims the row; called by hand with
    nothing to claim, the task does nothing.
    """
    for name in actions:

        @app.task(name=name, bind=True, typing=False, acks_late=False, ignore_result=True, max_retries=0)
        def execute(_task: Any, run_id: str, position: int) -> None:
            lifecycle.process().attempt(str(run_id), int(position))
