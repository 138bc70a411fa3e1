"""A Celery app whose task acknowledges late, which is what makes a lost broker dangerous for the worker."""

from __future__ import annotations

import os
import time

from celery import Celery

from messaging.celery_app import make_celery


def make_app() -> Celery:
    app = make_celery(os.environ["TEST_BROKER"])

    @app.task(name="hold", acks_late=True)
    def hold(file: str) -> None:
        """Run until the file is gone."""
        while os.path.exists(file):  # noqa: PTH110
            time.sleep(0.05)

    @app.task(name="touch")
    def touch(file: str) -> None:
        with open(file, "w"):  # noqa: PTH123
            pass

    return app


app = make_app()
