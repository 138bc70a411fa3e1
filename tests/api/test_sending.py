"""The messages of a start, in a real broker."""

from __future__ import annotations

import json

import redis
from flask.testing import FlaskClient

from api.services import Services
from tests.conftest import Eventually


def test_the_first_steps_of_a_start_are_sent_behind_its_answer(
    operator: FlaskClient, services: Services, eventually: Eventually
) -> None:
    steps = [
        {"key": "a", "action": "noop"},
        {"key": "b", "action": "noop", "needs": []},
        {"key": "c", "action": "noop", "needs": ["a"]},
    ]
    answer = operator.post("/workflow/start", json={"steps": steps})
    assert answer.status_code == 200, answer.text
    run_id = answer.get_json()["workflow_id"]
    queue = services.actions["noop"].queue
    with redis.Redis.from_url(services.redis_url) as broker:
        # One list a priority; its name begins with the queue's.
        def sent() -> list[str]:
            names = sorted(broker.scan_iter(f"{queue}*"))
            return sorted(
                json.loads(text)["headers"]["argsrepr"] for name in names for text in broker.lrange(name, 0, -1)
            )

        assert eventually(lambda: len(found := sent()) == 2 and found) == [repr([run_id, 0]), repr([run_id, 1])]
