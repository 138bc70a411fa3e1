"""How strong models are by the battles that people voted on. Pure: votes in, a table out.

Two numbers. Bradley-Terry looks at all votes at once, whatever their order: model i beats j with the probability
p_i / (p_i + p_j). Elo goes through the votes one by one, so that late ones count more.

Sources: Bradley and Terry, "Rank Analysis of Incomplete Block Designs", Biometrika 39, 1952; Hunter, "MM algorithms for
generalized Bradley-Terry models", Annals of Statistics 32, 2004, section 2; Elo, "The Rating of Chessplayers", 1978.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from schemas.chat import Rating

AVERAGE = 1000.0
SCALE = 400.0
K = 32.0
# Every model is taken to have drawn once against one of average strength: without this a model that never lost would be
# infinitely strong, and groups that never met could not be compared.
PRIOR_DRAWS = 1.0
MOST_ROUNDS = 10_000
CLOSE = 1e-9


@dataclass(frozen=True)
class Verdict:
    """What somebody thought of a battle. `winner` None: a tie, which `all good` and `all bad` both are."""

    models: tuple[str, ...]
    winner: str | None


@dataclass(frozen=True)
class _Game:
    """One pair of a battle, and what the first of them got: 1 for a win, a half for a tie, 0 for a loss."""

    first: str
    second: str
    score: float


def rate(verdicts: Sequence[Verdict]) -> list[Rating]:
    """The table, the strongest first. `verdicts` in the order of their votes; Elo depends on it, nothing else does."""
    games = [game for verdict in verdicts for game in _games(verdict)]
    strengths = strengths_of(games)
    elo = elo_of(games)
    battles, wins, losses, ties = _count(verdicts)
    table = [
        Rating(
            model=model,
            rating=round(AVERAGE + SCALE * math.log10(strength), 1),
            elo=round(elo[model], 1),
            battles=battles[model],
            wins=wins[model],
            losses=losses[model],
            ties=ties[model],
        )
        for model, strength in strengths.items()
    ]
    return sorted(table, key=lambda one: (-one.rating, one.model))


def strengths_of(games: Iterable[_Game]) -> dict[str, float]:
    """Bradley-Terry strengths by Hunter's MM iteration, 1 on (geometric) average. A tie is half a win for both."""
    won: dict[str, float] = defaultdict(float)
    met: dict[str, Counter[str]] = defaultdict(Counter)
    for game in games:
        won[game.first] += game.score
        won[game.second] += 1 - game.score
        met[game.first][game.second] += 1
        met[game.second][game.first] += 1
    strengths = dict.fromkeys(sorted(met), 1.0)
    for _ in range(MOST_ROUNDS):
        improved = {model: _improved(model, won[model], met[model], strengths) for model in strengths}
        moved = max((abs(math.log(improved[model] / strengths[model])) for model in strengths), default=0.0)
        strengths = improved
        if moved < CLOSE:
            break
    return _centred(strengths)


def elo_of(games: Iterable[_Game]) -> dict[str, float]:
    """Elo ratings after these games in their order."""
    ratings: dict[str, float] = defaultdict(lambda: AVERAGE)
    for game in games:
        expected = 1 / (1 + 10 ** ((ratings[game.second] - ratings[game.first]) / SCALE))
        change = K * (game.score - expected)
        ratings[game.first] += change
        ratings[game.second] -= change
    return dict(ratings)


def _games(verdict: Verdict) -> Iterator[_Game]:
    """The winner has beaten each of the others, who have not met; in a tie each has drawn with each."""
    if verdict.winner is None:
        yield from (_Game(one, other, 0.5) for one, other in combinations(verdict.models, 2))
    else:
        yield from (_Game(verdict.winner, other, 1.0) for other in verdict.models if other != verdict.winner)


def _improved(model: str, won: float, met: Mapping[str, int], strengths: Mapping[str, float]) -> float:
    own = strengths[model]
    shares = sum(times / (own + strengths[other]) for other, times in met.items())
    return (won + PRIOR_DRAWS / 2) / (shares + PRIOR_DRAWS / (own + 1))


def _centred(strengths: Mapping[str, float]) -> dict[str, float]:
    if not strengths:
        return {}
    middle = math.exp(math.fsum(map(math.log, strengths.values())) / len(strengths))
    return {model: strength / middle for model, strength in strengths.items()}


def _count(verdicts: Iterable[Verdict]) -> tuple[Counter[str], Counter[str], Counter[str], Counter[str]]:
    battles, wins, losses, ties = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for verdict in verdicts:
        battles.update(verdict.models)
        if verdict.winner is None:
            ties.update(verdict.models)
        else:
            wins[verdict.winner] += 1
            losses.update(model for model in verdict.models if model != verdict.winner)
    return battles, wins, losses, ties
