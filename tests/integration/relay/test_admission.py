from __future__ import annotations

import gevent
import pytest

from api.refusal import Refusal
from api.relay import admission
from api.relay.admission import Admission, Credentials
from api.relay.native import NativeDatabase, NativeThreads
from orchestration.store.accounts import add_token, delete_session, delete_token, exchange_token
from schemas.statuses import Role
from tests.integration.relay.conftest import TOKEN

pytestmark = pytest.mark.integration


@pytest.fixture
def checked(world) -> Admission:
    """An admission that looks at its members many times a second."""
    return Admission(NativeDatabase(world.database_url, name="test"), NativeThreads(1), recheck_s=0.02)


def test_open_connections_are_dropped_when_their_token_or_session_is_gone(world, checked):
    add_token(world.database, name="gone", user_name="otto", role=Role.VIEWER, secret="gone-token")
    session = exchange_token(world.database, "gone-token")
    other = exchange_token(world.database, TOKEN)
    dropped: list[str] = []
    members = {
        name: checked.enter(credentials, lambda name=name: dropped.append(name))
        for name, credentials in {
            "token": Credentials(bearer="gone-token"),
            "session": Credentials(session=session),
            "session of another": Credentials(session=other),
            "token of another": Credentials(bearer=TOKEN),
        }.items()
    }
    assert checked.members == 4
    delete_session(world.database, str(session))
    with gevent.Timeout(5):
        while not dropped:
            gevent.sleep(0.01)
    assert dropped == ["session"]
    delete_token(world.database, "gone")
    with gevent.Timeout(5):
        while len(dropped) < 2:
            gevent.sleep(0.01)
    assert dropped == ["session", "token"]
    assert [name for name, member in members.items() if member.is_gone] == ["token", "session"]
    assert checked.members == 2
    with pytest.raises(Refusal):
        checked.check(members["token"])


def test_a_user_may_hold_so_many_connections_and_no_more(world, checked, monkeypatch):
    monkeypatch.setattr(admission, "CONNECTIONS_PER_USER", 2)
    first = checked.enter(Credentials(bearer=TOKEN))
    checked.enter(Credentials(bearer=TOKEN))
    with pytest.raises(Refusal) as refused:
        checked.enter(Credentials(bearer=TOKEN))
    assert refused.value.status == 429
    checked.leave(first)
    checked.enter(Credentials(bearer=TOKEN))


def test_a_session_cookie_lets_a_browser_in(world, relay):
    session = exchange_token(world.database, TOKEN)
    cookie = f"perdure_session_{relay.web_port}={session}"
    run_id = world.start()
    assert relay.get(f"/workflow/state?workflow_id={run_id}", token=None, headers={"Cookie": cookie}).ok
    assert relay.get("/workflow/state", token="nobody's", headers={"Cookie": cookie}).status_code == 401
    source = relay.get(f"/workflow/events?workflow_id={run_id}", token=None, headers={"Cookie": cookie}, stream=True)
    assert source.status_code == 200
    source.close()
