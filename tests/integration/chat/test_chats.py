"""A message and the run that answers it are accepted together or not at all; conversations are trees."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

from bench.explained import Explained, nodes
from orchestration.chat import chats
from orchestration.chat.ground import Said
from orchestration.errors import IllegalControl, RunExists, TooLarge, UnknownConversation, UnknownMessage
from schemas.chat import ConversationChange, RegenerateRequest, Vote
from tests.support.chat_engine import Talk, said_in
from tests.support.engine import ALICE

MODELS = ("demo/plain", "demo/fast")


def at_once(count, act):
    """What came of doing something `count` times at the same moment: results and errors."""
    gate = threading.Barrier(count)
    found: list[Any] = [None] * count

    def run(number):
        gate.wait()
        try:
            found[number] = act(number)
        except Exception as error:
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_an_unknown_parent_starts_no_run(talk: Talk) -> None:
    with pytest.raises(UnknownMessage) as caught:
        talk.say(parent="msg-of-nobody")
    assert caught.value.where == "/parent"
    assert talk.counts() == {"runs": 0, "conversations": 0, "messages": 0, "battles": 0}


def test_a_parent_that_goes_while_the_message_is_on_its_way_starts_no_run(talk: Talk, monkeypatch) -> None:
    """What is looked at before is looked at again in the transaction that starts the run."""
    first = talk.say()
    before = chats.said_before
    monkeypatch.setattr(chats, "said_before", lambda *of: (before(*of), talk.chats.delete("talk"))[0])
    with pytest.raises(UnknownMessage):
        talk.say("More", parent=first.id)
    assert talk.counts() == {"runs": 1, "conversations": 0, "messages": 0, "battles": 0}


def test_a_proposal_is_no_message_that_another_one_can_follow(talk: Talk, monkeypatch) -> None:
    said = talk.say(mixture={"proposers": list(MODELS), "aggregator": "demo/slow"})
    proposal = talk.message(said.id)["proposals"][0]["id"]
    with pytest.raises(UnknownMessage) as caught:
        talk.say("More", parent=proposal)
    assert caught.value.where == "/parent"
    # Nor in the transaction that starts the run, which looks again.
    monkeypatch.setattr(chats, "said_before", lambda *_: Said((), proposal))
    with pytest.raises(UnknownMessage):
        talk.say("More", parent=proposal)
    assert talk.counts()["runs"] == 1


def test_a_message_id_that_is_taken_starts_no_run(talk: Talk) -> None:
    first = talk.say()
    taken = talk.say(message_id="m-1").message_id
    for used in (taken, first.id):
        with pytest.raises(RunExists) as caught:
            talk.say("Something else", message_id=used)
        assert caught.value.where == "/message/id"
    assert talk.counts() == {"runs": 2, "conversations": 1, "messages": 4, "battles": 0}


def test_a_message_id_that_is_taken_is_refused_when_its_key_was_forgotten(talk: Talk) -> None:
    talk.say(message_id="m-1")
    talk.database.execute("DELETE FROM idempotency_keys")
    with pytest.raises(RunExists):
        talk.say(message_id="m-1")
    assert talk.counts()["runs"] == 1


def test_the_same_message_sent_many_times_at_once_is_one(talk: Talk) -> None:
    found = at_once(6, lambda _: talk.say(message_id="m-1"))
    assert len({answer.id for answer in found}) == 1
    assert talk.counts() == {"runs": 1, "conversations": 1, "messages": 2, "battles": 0}


def test_tabs_that_say_something_at_once_make_branches_and_one_conversation(talk: Talk) -> None:
    found = at_once(6, lambda number: talk.say(f"Tab {number}", message_id=f"m-{number}"))
    assert talk.counts() == {"runs": 6, "conversations": 1, "messages": 12, "battles": 0}
    whole = talk.conversations.conversation("talk")
    assert whole["leaf"] in {answer.id for answer in found}
    parents = {one["id"]: one["parent"] for one in whole["messages"]}
    for answer in found:
        assert parents[answer.id] == answer.message_id


def test_a_context_that_is_too_large_starts_nothing_and_says_what_to_do(talk: Talk) -> None:
    talk.answer(talk.say("x" * 150_000), "Long, I see")
    with pytest.raises(TooLarge) as caught:
        talk.say("y" * 150_000)
    assert caught.value.where == "/message"
    assert "conversation" in str(caught.value.mend)
    assert talk.counts()["runs"] == 1


def test_what_was_said_elsewhere_in_between_makes_the_same_message_no_other(talk: Talk) -> None:
    first = talk.say("One", message_id="m-1")
    talk.answer(first, "Answer one")
    talk.say("Two")
    assert talk.say("One", message_id="m-1") == first


def test_instructions_are_kept_at_the_root_of_what_follows(talk: Talk) -> None:
    talk.answer(talk.say("One", system="Be brief."), "Yes.")
    talk.say("Two", system="Be long.")  # said already: the first ones hold
    branch = talk.database.call("SELECT read_branch('talk', NULL, 100)")
    assert said_in(branch) == ["Be brief.", "One", "Yes.", "Two", ""]
    assert [one["role"] for one in branch] == ["system", "user", "assistant", "user", "assistant"]


def test_a_branch_of_a_thousand_messages_costs_a_few_pages_a_message(talk: Talk) -> None:
    """Beside nine other branches as long and ten thousand other conversations, and found by indexes alone."""
    talk.database.execute(
        "INSERT INTO conversations (public_id, title, created_by, created_at, updated_at) "
        "SELECT 'c' || n, 'Talk', 'alice', clock_now(), clock_now() FROM generate_series(1, 10000) n"
    )
    talk.database.execute(
        "INSERT INTO messages (public_id, conversation_id, parent_id, part, role, status, text, created_by, "
        "created_at, ended_at) SELECT 'b' || b || '-' || n, (SELECT id FROM conversations WHERE public_id = 'c77'), "
        "CASE WHEN n > 1 THEN (b - 1) * 1000 + n - 1 END, 'message', (ARRAY['assistant', 'user'])[n % 2 + 1], "
        "'completed', 'Some words, said as message ' || n, 'alice', clock_now(), clock_now() "
        "FROM generate_series(1, 10) b, generate_series(1, 1000) n ORDER BY b, n"
    )
    talk.database.execute("UPDATE conversations SET leaf_id = 5000 WHERE public_id = 'c77'")
    talk.database.execute("ANALYZE messages")
    talk.database.execute("ANALYZE conversations")
    explained = Explained(talk.database.url, plan_cache_mode="force_generic_plan")
    try:
        found = explained.rows("SELECT read_branch(%s, %s, %s)", "c77", None, 1000)[0][0]
        explained.rows("SELECT read_branch(%s, %s, %s)", "c77", None, 1000)
        plans = explained.plans()
    finally:
        explained.close()
    assert [one["id"] for one in found] == [f"b5-{n}" for n in range(1, 1001)]
    scanned = {node["Relation Name"] for plan in plans for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
    assert not scanned & {"messages", "conversations", "texts"}
    buffers = plans[-1]["Shared Hit Blocks"] + plans[-1]["Shared Read Blocks"]
    assert buffers < 12_000, f"{buffers} pages for a thousand messages"


def test_lists_and_messages_are_found_by_indexes(talk: Talk) -> None:
    talk.database.execute(
        "INSERT INTO conversations (public_id, title, created_by, created_at, updated_at) "
        "SELECT 'c' || n, 'Talk', 'alice', clock_now(), clock_now() - n * interval '1 s' "
        "FROM generate_series(1, 10000) n"
    )
    talk.database.execute(
        "INSERT INTO messages (public_id, conversation_id, part, role, status, text, created_by, created_at, ended_at) "
        "SELECT 'm' || n, n, 'message', 'user', 'completed', 'words', 'alice', clock_now(), clock_now() "
        "FROM generate_series(1, 10000) n"
    )
    # One that is long, of which a page is read.
    talk.database.execute(
        "INSERT INTO messages (public_id, conversation_id, part, role, status, text, created_by, created_at, ended_at) "
        "SELECT 'l' || n, 600, 'message', 'user', 'completed', 'words', 'alice', clock_now(), clock_now() "
        "FROM generate_series(1, 20000) n"
    )
    talk.database.execute("ANALYZE messages")
    talk.database.execute("ANALYZE conversations")
    talk.database.execute("ANALYZE battles")
    explained = Explained(talk.database.url, plan_cache_mode="force_generic_plan")
    before = talk.database.call("SELECT updated_at::text FROM conversations WHERE public_id = 'c500'")
    calls = {
        "SELECT list_conversations(%s, %s, %s)": (50, before, "c500"),
        "SELECT read_conversation(%s, %s, %s, %s)": ("c500", 500, None, 1_000_000),
        "SELECT read_conversation(%s, %s, %s, 999999)": ("c600", 100, None),
        "SELECT read_conversation(%s, %s, %s, 999998)": ("c600", 100, "l300"),
        "SELECT read_message(%s)": ("m500",),
        "SELECT chat_runs(%s, %s)": ("c500", "m500"),
    }
    try:
        for sql, values in calls.items():
            explained.rows(sql, *values)
            explained.rows(sql, *values)
            plans = explained.plans()
            big = {node["Relation Name"] for plan in plans for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
            assert not big & {"messages", "conversations"}, sql
            buffers = plans[-1]["Shared Hit Blocks"] + plans[-1]["Shared Read Blocks"]
            assert buffers < 1500, f"{buffers} pages for {sql}"
    finally:
        explained.close()


def test_a_conversation_deleted_in_mid_writing_leaves_nothing_and_breaks_nothing(talk: Talk) -> None:
    said = talk.say()
    lease = talk.take(said)
    talk.attempts.save_text(lease, 0, "Half of it")
    assert talk.chats.delete("talk") == [said.taskId]
    talk.finish(lease)
    assert talk.counts() == {"runs": 1, "conversations": 0, "messages": 0, "battles": 0}
    assert talk.run_status(talk.run_of(said)) == "completed"
    with pytest.raises(UnknownConversation):
        talk.chats.delete("talk")


def test_a_message_of_a_deleted_conversation_is_not_said_again_by_its_id(talk: Talk) -> None:
    talk.say(message_id="m-1")
    talk.chats.delete("talk")
    with pytest.raises(RunExists) as caught:
        talk.say(message_id="m-1")
    assert "deleted" in caught.value.message
    assert talk.say(message_id="m-2").answers


def test_a_conversation_deleted_while_somebody_speaks_has_all_of_it_or_nothing(talk: Talk) -> None:
    talk.say("First")
    for _ in range(10):
        at_once(2, lambda number: talk.say("More") if number else talk.chats.delete("talk"))
        orphans = talk.database.call(
            "SELECT count(*) FROM messages m WHERE m.conversation_id IS NULL "
            "OR NOT EXISTS (SELECT FROM conversations c WHERE c.id = m.conversation_id)"
        )
        assert orphans == 0
        talk.say("First again")


def test_many_votes_at_once_count_once(talk: Talk) -> None:
    said = talk.say(battle=MODELS)
    for position in range(2):
        talk.answer(said, f"Answer {position}", position)
    assert said.battle is not None
    found = at_once(6, lambda number: talk.battles.vote(
        said.battle, Vote(verdict="winner", winner=said.answers[number % 2]), ALICE
    ))  # fmt: skip
    assert Counter(type(one) for one in found) == {dict: 1, IllegalControl: 5}
    table, battles = talk.battles.ratings()
    assert battles == 1
    assert [(one.wins, one.losses) for one in table] == [(1, 0), (0, 1)]


def test_an_answer_whose_run_is_not_kept_any_more_can_be_written_again(talk: Talk) -> None:
    first = talk.say("One", system="Be brief.", chatModel={"provider": "demo", "model": "fast"})
    talk.answer(first, "Answer one")
    talk.database.execute("UPDATE runs SET ended_at = ended_at - interval '400 days'")
    assert talk.sweep.purge(1) == 1
    again = talk.chats.regenerate(first.id, RegenerateRequest(), ALICE)
    request = talk.runs.workflow(again.taskId).params["request"]
    assert [one["content"] for one in request["messages"]] == ["Be brief.", "One"]
    assert talk.message(again.id)["model"] == "demo/fast"


def test_a_leaf_is_a_message_of_the_conversation(talk: Talk) -> None:
    first = talk.say("One")
    other = talk.say("Two", id="other")
    talk.chats.change("talk", ConversationChange(leaf=first.message_id))
    assert talk.conversations.conversation("talk")["leaf"] == first.message_id
    with pytest.raises(UnknownMessage):
        talk.chats.change("talk", ConversationChange(leaf=other.id))
    with pytest.raises(UnknownConversation):
        talk.chats.change("nowhere", ConversationChange(title="x"))
