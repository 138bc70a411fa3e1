"""Workflows kept under an id."""

from __future__ import annotations

import json

from flask import Response, jsonify
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from api.audit import audit_target, audited
from api.auth.rights import current_actor, requires
from api.refusal import Refusal
from api.services import current_services
from api.start_body import Defaults, full_name, refuse_passwords
from orchestration.core.fallbacks import unfold_fallbacks
from orchestration.engine.planning import check_action, plan_unfolded
from orchestration.engine.queries_templates import Templates
from schemas.answers.templates import TemplateAnswer, TemplatesAnswer
from schemas.json import JsonObject
from schemas.requests import TemplatePath, TemplateRequest, TemplatesQuery
from schemas.statuses import Role
from schemas.workflow import WorkflowSpec

bp = APIBlueprint("templates", __name__, url_prefix="/workflow/templates", abp_tags=[Tag(name="Templates")])


@bp.get("", responses={200: TemplatesAnswer})
@requires(Role.VIEWER)
def templates(query: TemplatesQuery) -> Response:
    """List the templates, in the order of their ids."""
    page = Templates(current_services().database).page(query.cursor, query.limit)
    return jsonify(success=True, templates=page.templates, next=page.next)


@bp.get("/<template_id>", responses={200: TemplateAnswer})
@requires(Role.VIEWER)
def template(path: TemplatePath) -> Response:
    """Show a template with its workflow."""
    services = current_services()
    found = Templates(services.database).find(path.template_id)
    if found is None:
        raise Refusal(
            404,
            "unknown_template",
            f"there is no template {path.template_id!r}",
            where="template_id",
            mend="GET /workflow/templates lists them",
        )
    return jsonify(success=True, template=found.as_json())


@bp.put("/<template_id>", responses={200: TemplateAnswer})
@requires(Role.OPERATOR)
@audited("template.put")
def put(path: TemplatePath, body: TemplateRequest) -> Response:
    """Keep a workflow under this id, in place of what was there. It is checked as a start is, but needs no host."""
    audit_target(path.template_id)
    services, actor = current_services(), current_actor()
    workflow = _checked(body.sent())
    kept = Templates(services.database).put(path.template_id, body.name or path.template_id, workflow, actor)
    return jsonify(success=True, message=f"template {kept.id} was kept", template=kept.as_json())


def _checked(sent: JsonObject) -> JsonObject:
    services, actor = current_services(), current_actor()
    refuse_passwords(sent)
    _refuse_secrets(sent)
    steps = [_full(step, Defaults(services.actions)) for step in sent["steps"]]
    workflow = WorkflowSpec.model_validate({**sent, "steps": steps})
    unfolded = unfold_fallbacks(workflow.steps)
    for step, place in zip(unfolded.steps, unfolded.places, strict=True):
        check_action(step, place, services.actions, actor.role)
    plan_unfolded(unfolded, services.actions, workflow.step_delay_s, workflow.kind)
    return workflow.model_dump(mode="json", exclude_unset=True)


def _refuse_secrets(sent: JsonObject) -> None:
    """A template is read by everyone and given back as it came, so nothing in it may need to be hidden."""
    redactor = current_services().redactor
    if redactor.mask in json.dumps(sent, ensure_ascii=False):
        raise Refusal(
            400,
            "redacted_in_template",
            f"the template holds {redactor.mask}, which stands where a secret was taken out",
            where="/steps",
            mend='put the value back in, or better name it: {"secret": "name"}',
        )
    if redactor.json(sent) != sent:
        raise Refusal(
            400,
            "secret_in_template",
            "the template holds what looks like a secret",
            where="/steps",
            mend='keep it in PERDURE_SECRETS_DIR and name it: {"secret": "name"}',
        )


def _full(step: JsonObject, defaults: Defaults) -> JsonObject:
    action = step.get("action")
    return {**step, "action": full_name(action, defaults.actions)} if isinstance(action, str) else step
