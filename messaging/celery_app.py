"""The Celery app as both sides use it: settings, no tasks."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from celery import Celery

from messaging.transport import BODY_ENCODING, Amqp

DEFAULT_QUEUE = "default"
# On Redis 0 is the highest of ten priorities, the opposite of RabbitMQ.
DEFAULT_PRIORITY = 5


def make_celery(broker_url: str, *, name: str = "perdure") -> Celery:
    """A Celery app without tasks that opens no connection by itself."""
    app = Celery(name, amqp=Amqp)
    app.conf.update(celery_settings(broker_url))
    return app


def celery_settings(broker_url: str) -> dict[str, Any]:
    """Celery's settings for a broker at any URL that redis-py takes: redis://, rediss://, unix://.

    With rediss:// the server's certificate is checked.
    """
    return {
        "broker_url": kombu_url(broker_url),
        "broker_use_ssl": {"ssl_cert_reqs": ssl.CERT_REQUIRED} if broker_url.startswith("rediss://") else False,
        "broker_transport_options": transport_options(),
        # A message names a run and a position, nothing else. No pickle, no result backend: results are in PostgreSQL.
        "accept_content": ["json"],
        "task_serializer": "json",
        "event_serializer": "json",
        "result_backend": None,
        "task_ignore_result": True,
        # Acknowledged before the work: a message is a hint and the sweep sends a lost one again. A late acknowledgement
        # would only bring the message back while its step is still running.
        "task_acks_late": False,
        "task_default_queue": DEFAULT_QUEUE,
        "task_default_priority": DEFAULT_PRIORITY,
        "task_create_missing_queues": True,
        # Retrying is the sweep's work; a producer that retries would hold up the step that has just ended.
        "task_publish_retry": False,
        # One message in hand a slot: prefetched messages are not reordered by priority.
        "worker_prefetch_multiplier": 1,
        "worker_send_task_events": True,
        "task_send_sent_event": False,
        # True kills running tasks when the broker goes away; a step does not need the broker to finish.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "worker_redirect_stdouts": False,
        "worker_hijack_root_logger": False,
        "worker_enable_remote_control": True,
        "enable_utc": True,
    }


def transport_options() -> dict[str, Any]:
    """How kombu talks to Valkey; the same on both sides, or priorities would be read from other lists than written."""
    return {
        # The bands of messaging/dispatcher.py: a worker asks for each queue at each of these with every message.
        "priority_steps": [0, 2, 5, 8],
        "sep": ":",
        "queue_order_strategy": "priority",
        "body_encoding": BODY_ENCODING,
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_on_timeout": True,
    }


def kombu_url(url: str) -> str:
    """`unix://` URLs of redis-py in kombu's words; all others as they are."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    query = dict(parse_qsl(parts.query))
    query["virtual_host"] = query.pop("db", "0")
    return f"redis+socket://{parts.netloc}{parts.path}?{urlencode(query)}"
