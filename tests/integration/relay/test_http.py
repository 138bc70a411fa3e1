from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.relay.conftest import TOKEN, EventSource, position_of

pytestmark = pytest.mark.integration


def test_server_sent_events_carry_positions_and_resume_by_the_last_one(world, relay):
    run_id = world.start()
    world.do_step(run_id, 0)
    end = position_of(world, run_id)
    source = EventSource(relay, f"workflow_id={run_id}&after=0-0")
    assert source.response.headers["Content-Type"].startswith("text/event-stream")
    assert source.read() == ("0-0", "subscribed", {"workflow_id": run_id, "position": "0-0"})
    first = [source.read() for _ in range(3)]
    assert [(event, data["seq"]) for _, event, data in first] == [("workflow_event", seq) for seq in (1, 2, 3)]
    source.close()
    # A browser repeats the address it had and says in the header where it really is.
    source = EventSource(relay, f"workflow_id={run_id}&after=0-0", **{"Last-Event-ID": first[-1][0]})
    assert source.read()[1] == "subscribed"
    world.do_step(run_id, 1)
    last = position_of(world, run_id)
    rest = [source.read() for _ in range(last.seq - 3)]
    assert [data["seq"] for _, _, data in rest] == list(range(4, last.seq + 1))
    assert rest[-1][0] == str(last) != str(end)
    source.close()


def test_server_sent_events_say_when_history_is_lost(world, relay):
    run_id = world.start()
    end = position_of(world, run_id)
    source = EventSource(relay, f"workflow_id={run_id}", **{"Last-Event-ID": "1000-5"})
    assert source.read()[1] == "subscribed"
    assert source.read() == (str(end), "truncated", {"workflow_id": run_id, "position": str(end)})
    world.log(run_id, 0)
    assert source.read()[2]["seq"] == end.seq + 1
    source.close()


def test_a_long_poll_is_answered_as_soon_as_the_state_changes(world, relay):
    run_id = world.start()
    first = relay.get(f"/workflow/state?workflow_id={run_id}")
    body = first.json()
    assert (first.status_code, body["success"], body["active"]) == (200, True, True)
    assert body["state"]["workflow_id"] == run_id
    etag = first.headers["ETag"]
    with ThreadPoolExecutor(20) as threads:
        path = f"/workflow/state?workflow_id={run_id}&wait=20&since={etag.strip(chr(34))}"
        waiting = [threads.submit(relay.get, path) for _ in range(20)]
        time.sleep(0.5)  # what is tested is that they wait
        assert not any(answer.done() for answer in waiting)
        began = time.monotonic()
        world.do_step(run_id, 0)
        answers = [answer.result() for answer in waiting]
    assert time.monotonic() - began < 2
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["state"]["steps"][0]["status"] for answer in answers} <= {"in_progress", "completed"}
    assert {answer.headers["ETag"] for answer in answers}.isdisjoint({etag})


def test_a_long_poll_without_news_ends_with_not_modified(world, relay):
    run_id = world.start()
    etag = relay.get(f"/workflow/state?workflow_id={run_id}").headers["ETag"]
    began = time.monotonic()
    answer = relay.get(f"/workflow/state?workflow_id={run_id}&wait=1", headers={"If-None-Match": etag})
    assert answer.status_code == 304
    assert answer.headers["ETag"] == etag
    assert 0.9 < time.monotonic() - began < 5


def test_a_change_whose_event_was_lost_is_noticed_all_the_same(world, relay):
    run_id = world.start()
    etag = relay.get(f"/workflow/state?workflow_id={run_id}").headers["ETag"]
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(relay.get, f"/workflow/state?workflow_id={run_id}&wait=20&since={etag}")
        world.database.execute("UPDATE runs SET version = version + 1 WHERE public_id = %s", run_id)
        assert waiting.result().status_code == 200


def test_without_a_run_named_the_callers_own_is_meant(world, relay):
    answer = relay.get("/workflow/state")
    assert answer.json() == {"success": True, "active": False, "state": None}


@pytest.mark.parametrize("path", ["/workflow/state", "/workflow/events"])
@pytest.mark.parametrize(
    ("query", "status"),
    [("workflow_id=workflow_0_none", 404), ("workflow_id=%22", 400), ("workflow_id=workflow_0_none&after=x", None)],
)
def test_what_cannot_be_answered_is_a_problem(relay, path, query, status):
    answer = relay.get(f"{path}?{query}")
    expected = status or {"/workflow/state": 404, "/workflow/events": 400}[path]
    assert answer.status_code == expected
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["success"], problem["status"]) == (False, expected)
    assert problem["message"]
    if path == "/workflow/state":
        assert (problem["active"], problem["state"]) == (False, None)


@pytest.mark.parametrize("wait", ["-1", "nan", "inf", "soon"])
def test_a_wait_that_is_no_time_is_refused(world, relay, wait):
    answer = relay.get(f"/workflow/state?workflow_id={world.start()}&since=x&wait={wait}")
    assert (answer.status_code, answer.json()["where"]) == (400, "/wait")


@pytest.mark.parametrize("path", ["/workflow/state", "/workflow/events"])
def test_a_token_in_the_address_opens_nothing(relay, path):
    for query in (f"token={TOKEN}", f"access_token={TOKEN}", ""):
        answer = relay.get(f"{path}?workflow_id=workflow_0_none&{query}", token=None)
        assert answer.status_code == 401
        assert answer.json()["success"] is False
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/workflow/state", "/workflow/events"])
def test_pages_of_other_origins_are_refused_and_ours_may_read(world, relay, path):
    query = f"{path}?workflow_id={world.start()}"
    foreign = relay.get(query, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert "Access-Control-Allow-Origin" not in foreign.headers
    ours = f"http://localhost:{relay.web_port}"
    answer = relay.get(query, headers={"Origin": ours}, stream=True)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == ours
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    answer.close()


def test_an_unknown_address_is_a_problem_too(relay):
    answer = relay.get("/nothing/here")
    assert (answer.status_code, answer.json()["success"]) == (404, False)


def test_the_relay_says_that_it_is_there_to_everyone(relay):
    answer = relay.get("/healthz", token=None)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
