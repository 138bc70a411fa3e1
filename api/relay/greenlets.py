"""Greenlets that everybody depends on."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import gevent

log = logging.getLogger(__name__)


def spawn_vital(work: Callable[[], None]) -> gevent.Greenlet:
    """Run `work`, which should never end. If it fails the process ends.

    A relay that still answers but has lost one of its loops would leave clients waiting for ever; from one that is
    gone they come back to where they were.
    """
    greenlet = gevent.spawn(work)
    greenlet.link_exception(_end_process)
    return greenlet


def _end_process(greenlet: gevent.Greenlet) -> None:
    log.critical("a loop of the relay failed, the process ends", exc_info=greenlet.exception)
    os._exit(1)
