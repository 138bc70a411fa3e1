"""The table of models: Bradley-Terry over all votes, Elo in their order."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.chat.ratings import Verdict, rate

MODELS = ("a/one", "b/two", "c/three", "d/four")


@st.composite
def verdicts(draw):
    models = tuple(draw(st.lists(st.sampled_from(MODELS), min_size=2, max_size=4, unique=True)))
    return Verdict(models, draw(st.none() | st.sampled_from(models)))


votes = st.lists(verdicts(), max_size=40)


def by_model(table):
    return {one.model: one for one in table}


def test_no_votes_make_an_empty_table():
    assert rate([]) == []


def test_who_wins_stands_higher_by_both_numbers():
    table = rate([Verdict(("a/one", "b/two"), "a/one")] * 3 + [Verdict(("a/one", "b/two"), "b/two")])
    first, second = table
    assert (first.model, first.battles, first.wins, first.losses, first.ties) == ("a/one", 4, 3, 1, 0)
    assert (second.model, second.battles, second.wins, second.losses, second.ties) == ("b/two", 4, 1, 3, 0)
    assert first.rating > 1000 > second.rating
    assert first.elo > 1000 > second.elo


def test_the_ratio_of_two_strengths_is_that_of_their_wins():
    """With many games the prior weighs nothing: 3 to 1 is 400 log10(3) = 190.8 points."""
    games = [Verdict(("a/one", "b/two"), "a/one")] * 3000 + [Verdict(("a/one", "b/two"), "b/two")] * 1000
    first, second = rate(games)
    assert first.rating - second.rating == pytest.approx(400 * math.log10(3), abs=1)


def test_an_elo_rating_after_one_win_among_equals_is_half_of_k():
    first, second = rate([Verdict(("a/one", "b/two"), "b/two")])
    assert (first.elo, second.elo) == (1016.0, 984.0)


def test_a_tie_is_half_a_win_for_both():
    tied = rate([Verdict(("a/one", "b/two"), None)] * 2)
    assert {one.rating for one in tied} == {1000.0}
    assert all((one.ties, one.wins, one.losses) == (2, 0, 0) for one in tied)
    halves = rate([Verdict(("a/one", "b/two"), "a/one"), Verdict(("a/one", "b/two"), "b/two")])
    assert {one.rating for one in halves} == {1000.0}


def test_a_model_that_never_lost_has_a_finite_rating():
    table = rate([Verdict(("a/one", "b/two"), "a/one")] * 50)
    assert all(math.isfinite(one.rating) and abs(one.rating) < 5000 for one in table)


def test_strength_is_seen_through_others():
    """Who beat the one that beat a third stands above the third, whom it never met."""
    table = by_model(rate([Verdict(("a/one", "b/two"), "a/one"), Verdict(("b/two", "c/three"), "b/two")] * 5))
    assert table["a/one"].rating > table["b/two"].rating > table["c/three"].rating


@given(votes, st.randoms(use_true_random=False))
def test_bradley_terry_does_not_depend_on_the_order_of_votes(found, dice):
    shuffled = list(found)
    dice.shuffle(shuffled)
    before, after = by_model(rate(found)), by_model(rate(shuffled))
    assert before.keys() == after.keys()
    for model, one in before.items():
        assert after[model].rating == pytest.approx(one.rating, abs=0.2)


@given(votes)
def test_the_average_is_a_thousand_and_elo_gives_what_it_takes(found):
    table = rate(found)
    if table:
        assert sum(one.rating for one in table) / len(table) == pytest.approx(1000, abs=0.2)
        assert sum(one.elo for one in table) / len(table) == pytest.approx(1000, abs=0.2)


@given(votes)
def test_counts_add_up(found):
    table = rate(found)
    assert sum(one.wins for one in table) == sum(vote.winner is not None for vote in found)
    for one in table:
        assert one.battles == one.wins + one.losses + one.ties
        assert one.battles == sum(one.model in vote.models for vote in found)


@given(votes, verdicts())
def test_one_more_win_never_lowers_the_winner(found, vote):
    if vote.winner is None:
        return
    before, after = by_model(rate(found)), by_model(rate([*found, vote]))
    if vote.winner in before and set(vote.models) <= before.keys():
        assert after[vote.winner].rating >= before[vote.winner].rating - 0.2
        assert after[vote.winner].elo >= before[vote.winner].elo


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32))
def test_strengths_that_votes_were_drawn_from_are_found_again(seed):
    dice = random.Random(seed)
    true = {"a/one": 1200.0, "b/two": 1000.0, "c/three": 800.0}
    found = []
    for _ in range(2000):
        one, other = dice.sample(sorted(true), 2)
        chance = 1 / (1 + 10 ** ((true[other] - true[one]) / 400))
        found.append(Verdict((one, other), one if dice.random() < chance else other))
    for rating in rate(found):
        assert rating.rating == pytest.approx(true[rating.model], abs=50)
