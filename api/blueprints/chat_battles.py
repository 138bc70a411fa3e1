"""Battles: models side by side, blind until the vote, and the table that the votes make."""

from __future__ import annotations

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from api.audit import audit_target, audited
from api.auth.rights import current_actor, requires
from api.chat_answers import answer_polled, answer_with
from api.services import current_services
from schemas.answers.chat import RatingsAnswer, VotedAnswer
from schemas.chat import Vote
from schemas.chat_requests import BattlePath
from schemas.statuses import Role

bp = APIBlueprint("battles", __name__, url_prefix="/api/chat", abp_tags=[Tag(name="Battles")])


@bp.post("/battles/<battle_id>/vote", responses={200: VotedAnswer})
@requires(Role.OPERATOR)
@audited("chat.vote")
def vote(path: BattlePath, body: Vote) -> Response:
    """Say which answer is better, once a battle, when all have ended; the answer names the models. 409 after that."""
    audit_target(path.battle_id)
    models = current_services().battles.vote(path.battle_id, body, current_actor())
    return answer_with(VotedAnswer(battle=path.battle_id, verdict=body.verdict, winner=body.winner, models=models))


@bp.get("/ratings", responses={200: RatingsAnswer})
@requires(Role.VIEWER)
def ratings() -> Response:
    """Rank the models by the votes: Bradley-Terry over all of them, and Elo in their order."""
    table, battles = current_services().battles.ratings()
    return answer_polled(RatingsAnswer(ratings=table, battles=battles))
