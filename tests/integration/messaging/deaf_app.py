"""A Celery app whose tasks make its own worker deaf: nobody polls its socket, or its loop is stuck."""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import Celery, bootsteps

from messaging.celery_app import make_celery
from settings import Settings
from workers.hearing import Listener, hearing_step

log = logging.getLogger(__name__)
consumers: list[Any] = []


class KeepConsumer(bootsteps.StartStopStep):
    """So that the task finds it."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        consumers[:] = [parent]


def make_app() -> Celery:
    url = os.environ["TEST_BROKER"]
    app = make_celery(url)
    app.steps["consumer"].add(KeepConsumer)
    if os.environ.get("TEST_HEARING"):
        settings = Settings(redis_url=url, database_url="postgresql://none", drain_s=0)
        app.steps["consumer"].add(hearing_step(Listener(settings, look_s=0.2, deaf_s=1.5)))

    @app.task(name="deafen")
    def deafen() -> None:
        """Take the sockets of the queues from the poller, on the loop's own thread."""
        hub = consumers[0].hub
        cycle = consumers[0].connection.transport.cycle

        def unpoll() -> None:
            for fd, (_, kind) in list(cycle._fd_to_chan.items()):
                if kind == "BRPOP":
                    del cycle._fd_to_chan[fd]
                    hub.remove(fd)
            log.warning("deaf now")

        hub.call_soon(unpoll)

    @app.task(name="block")
    def block() -> None:
        """Have the loop wait for what nobody sends, on the socket of remote control."""
        consumer = consumers[0]

        def wait() -> None:
            (channel,) = (each for each in consumer.connection.transport.cycle._channels if "subclient" in vars(each))
            opened = channel.subclient.connection._sock
            opened.settimeout(None)
            log.warning("deaf now")
            opened.recv(1)

        consumer.hub.call_soon(wait)

    @app.task(name="touch")
    def touch(file: str) -> None:
        with open(file, "w"):  # noqa: PTH123
            pass

    return app


app = make_app()
