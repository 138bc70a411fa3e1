"""Battles: models side by side, blind until somebody has voted, and what the votes come to."""

from __future__ import annotations

from orchestration.chat.ratings import Verdict, rate
from orchestration.errors import IllegalControl, InvalidChat, UnknownBattle
from orchestration.ports import Actor
from orchestration.store.database import Database
from schemas.chat import Rating, Vote
from schemas.json import JsonObject

# The last votes that count: enough for any table, and read in well under a second.
MOST_BATTLES = 10_000


class Battles:
    """The battles of one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def vote(self, battle_id: str, vote: Vote, actor: Actor) -> dict[str, str]:
        """Record a vote, once a battle; answers which model wrote which message.

        Raises: UnknownBattle; InvalidChat for a winner that took no part; IllegalControl when somebody has voted, or
        answers are still being written.
        """
        answer: JsonObject = self.database.call(
            "SELECT vote(%s, %s, %s, %s)", battle_id, vote.verdict, vote.winner, actor.name
        )
        match answer["status"]:
            case "unknown":
                raise UnknownBattle(f"there is no battle {battle_id!r}", where="/battle_id")
            case "voted":
                raise IllegalControl(
                    f"somebody has voted on this battle: {answer['verdict']}",
                    where="/battle_id",
                    mend="read its messages, which name their models now",
                )
            case "writing":
                raise IllegalControl(
                    "the answers are still being written", where="/battle_id", mend="vote when all have ended"
                )
            case "no_contender":
                raise InvalidChat(
                    "the winner is no message of this battle", where="/winner", mend="name one of its answers"
                )
        return dict(zip(answer["messages"], answer["models"], strict=True))

    def ratings(self) -> tuple[list[Rating], int]:
        """The table of models, and how many votes it is made of: the last 10,000 at most."""
        voted: list[JsonObject] = self.database.call("SELECT voted_battles(%s)", MOST_BATTLES)
        return rate([_verdict(battle) for battle in voted]), len(voted)


def _verdict(battle: JsonObject) -> Verdict:
    models = dict(zip(battle["messages"], battle["models"], strict=True))
    return Verdict(tuple(battle["models"]), models[battle["winner"]] if battle["winner"] is not None else None)
