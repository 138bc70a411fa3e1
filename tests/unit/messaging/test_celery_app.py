from __future__ import annotations

import ssl
from itertools import pairwise
from typing import cast

import pytest

from messaging.celery_app import kombu_url, make_celery
from messaging.dispatcher import redis_priority
from messaging.transport import Transport
from orchestration.actions.registry import load_actions
from workers.lifecycle import Lifecycle
from workers.tasks import register_actions


def test_messages_are_hints_acknowledged_on_receipt_and_never_pickled():
    conf = make_celery("redis://localhost/0").conf
    assert conf.task_acks_late is False
    assert conf.accept_content == ["json"]
    assert conf.task_ignore_result is True
    assert conf.result_backend is None
    assert conf.task_publish_retry is False
    assert conf.worker_cancel_long_running_tasks_on_connection_loss is False


def test_tasks_of_actions_acknowledge_early_since_the_broker_keeps_no_copy_of_what_is_in_hand():
    app, actions, no_worker = make_celery("redis://localhost/0"), load_actions([]), cast(Lifecycle, None)
    register_actions(app, actions, no_worker)
    assert actions
    assert not [name for name in actions if app.tasks[name].acks_late]


def test_a_higher_priority_of_a_run_never_goes_behind_a_lower_one():
    bands = [redis_priority(priority) for priority in range(1, 21)]
    assert all(later <= earlier for earlier, later in pairwise(bands))
    assert (bands[0], bands[4], bands[9], bands[19]) == (8, 5, 2, 0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("redis://:pw@host:6379/3", "redis://:pw@host:6379/3"),
        ("unix://:pw@/run/valkey.sock?db=2", "redis+socket://:pw@/run/valkey.sock?virtual_host=2"),
        ("unix:///run/valkey.sock", "redis+socket:///run/valkey.sock?virtual_host=0"),
    ],
)
def test_urls_of_redis_become_urls_of_kombu(given, expected):
    assert kombu_url(given) == expected


def test_a_tls_broker_must_show_a_certificate():
    app = make_celery("rediss://host:6379/0")
    assert app.conf.broker_use_ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    assert app.connection_for_read().ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    assert app.connection_for_read().get_transport_cls() is Transport
    assert make_celery("redis://host:6379/0").conf.broker_use_ssl is False
