from __future__ import annotations

import psycopg2
import pytest
import redis

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("round_", [1, 2])
def test_each_test_gets_an_empty_migrated_database(database_url, round_):
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM runs")
        assert cursor.fetchone() == (0,)
        cursor.execute("CREATE TABLE left_behind (id int)")
    connection.close()


@pytest.mark.parametrize("round_", [1, 2])
def test_each_test_gets_an_empty_valkey_database(redis_url, round_):
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


def test_eventually_returns_the_true_value_and_says_what_it_saw_last(eventually):
    answers = iter([None, 0, "here"])
    assert eventually(lambda: next(answers)) == "here"
    with pytest.raises(AssertionError, match="last: ''"):
        eventually(lambda: "", timeout_s=0.05)
