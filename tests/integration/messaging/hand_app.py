"""A Celery app whose tasks acknowledge early, as the project's do: what it has fetched and not begun is in hand."""

from __future__ import annotations

import os
import time

from celery import Celery

from messaging.celery_app import make_celery


def make_app() -> Celery:
    app = make_celery(os.environ["TEST_BROKER"])

    @app.task(name="hold")
    def hold(file: str) -> None:
        """Run until the file is gone."""
        while os.path.exists(file):  # noqa: PTH110
            time.sleep(0.02)

    @app.task(name="touch")
    def touch(file: str) -> None:
        with open(file, "w"):  # noqa: PTH123
            pass

    return app


app = make_app()
