"""Say something to models, and read, stop, retry and regenerate what they answer."""

from __future__ import annotations

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from api.audit import audit_target, audited
from api.auth.rights import current_actor, requires
from api.blueprints.workflow import answer_controlled
from api.chat_answers import answer_polled, answer_with
from api.plain_chat import stream_plainly
from api.services import current_services
from orchestration.errors import IllegalControl
from schemas.answers.chat import ChatAcceptedAnswer, ChatModelsAnswer, ChatModelShown, MessageAnswer
from schemas.answers.controls import ControlledAnswer
from schemas.chat import ChatAnswer, ChatRequest, ChatRole, Message, MessageStatus, RegenerateRequest
from schemas.chat_requests import MessagePath, RetryRequest, StopRequest
from schemas.statuses import Role, StepStatus

bp = APIBlueprint("chat", __name__, url_prefix="/api/chat", abp_tags=[Tag(name="Chat")])


@bp.post("", responses={202: ChatAcceptedAnswer})
@requires(Role.OPERATOR)
@audited("chat.say")
def say(body: ChatRequest) -> Response:
    """Say something; a run answers it, whoever stays to read. The same message id with the same body answers the same.

    With ENABLE_SERVER_SIDE_ORCHESTRATION=false the answer is streamed (200, text/event-stream), and nothing is kept.
    """
    services, actor = current_services(), current_actor()
    services.limiter.hit("chat", actor.name)
    if not services.settings.server_side_orchestration:
        return stream_plainly(body, actor)
    return _accepted(services.chats.say(body, actor))


@bp.get("/models", responses={200: ChatModelsAnswer})
@requires(Role.VIEWER)
def models() -> Response:
    """List the models and mixtures that can be asked."""
    services = current_services()
    found = [
        ChatModelShown(name=model.name, label=model.label, provider=model.provider, kind="model")
        for model in services.models.models()
    ]
    if services.settings.server_side_orchestration:
        found += [
            ChatModelShown(name=f"mixture/{name}", label=f"Mixture: {name}", provider="mixture", kind="mixture")
            for name in services.models.mixtures
        ]
    return answer_with(
        ChatModelsAnswer(
            models=found,
            default=services.chats.default_model or None,
            orchestrated=services.settings.server_side_orchestration,
        )
    )


@bp.get("/messages/<message_id>", responses={200: MessageAnswer})
@requires(Role.VIEWER)
def message(path: MessagePath) -> Response:
    """Show a message with its proposals, its text as new as can be. Answers at once; the relay waits for more."""
    return answer_polled(MessageAnswer.model_validate(_message(path.message_id).model_dump()))


@bp.post("/messages/<message_id>/stop", responses={202: ControlledAnswer})
@requires(Role.OPERATOR)
@audited("chat.stop")
def stop(path: MessagePath, body: StopRequest) -> Response:
    """Stop what writes a message, and its proposals or the other side of its battle; what is written is kept."""
    del body
    found = _written(path.message_id)
    if found.status is not MessageStatus.WRITING:
        raise IllegalControl(
            f"message {found.id!r} is {found.status}", where="/message_id", mend="only what is being written is stopped"
        )
    return answer_controlled(current_services().runs.stop(found.run_id or "", current_actor()), "stopping", status=202)


@bp.post("/messages/<message_id>/regenerate", responses={202: ChatAcceptedAnswer})
@requires(Role.OPERATOR)
@audited("chat.regenerate")
def regenerate(path: MessagePath, body: RegenerateRequest) -> Response:
    """Write another answer beside one that is there, by the same model or another one."""
    services, actor = current_services(), current_actor()
    services.limiter.hit("chat", actor.name)
    return _accepted(services.chats.regenerate(path.message_id, body, actor))


@bp.post("/messages/<message_id>/retry", responses={202: ControlledAnswer})
@requires(Role.OPERATOR)
@audited("chat.retry")
def retry(path: MessagePath, body: RetryRequest) -> Response:
    """Write a failed or stopped message again in its place, or let one agent of its mixture try again."""
    services, actor = current_services(), current_actor()
    services.limiter.hit("chat", actor.name)
    found = _written(path.message_id)
    run_id = found.run_id or ""
    if isinstance(body.step, int):
        step = services.queries.step_key(run_id, body.step)
    else:
        step = body.step or _own_step(found)
    return answer_controlled(services.runs.retry(run_id, actor, step=step), "retrying", status=202)


def _message(message_id: str) -> Message:
    return current_services().snapshots.message(message_id)


def _written(message_id: str) -> Message:
    """A message that a step writes. Raises: UnknownMessage, IllegalControl."""
    found = _message(message_id)
    audit_target(found.run_id or message_id)
    if found.role is not ChatRole.ASSISTANT or found.run_id is None:
        raise IllegalControl(
            f"message {message_id!r} was not written by a model", where="/message_id", mend="name an answer"
        )
    return found


def _own_step(found: Message) -> str:
    """The step that writes a message. Raises: IllegalControl when there is nothing to retry."""
    # An answer that stands although it was to be written anew: its step came to nothing.
    is_left = found.step is not None and found.step.status in (StepStatus.FAILED, StepStatus.CANCELLED)
    if found.status not in (MessageStatus.FAILED, MessageStatus.STOPPED) and not is_left:
        raise IllegalControl(
            f"message {found.id!r} is {found.status}",
            where="/message_id",
            mend="only what failed or was stopped is retried; regenerate writes another answer",
        )
    if found.step is None:
        raise IllegalControl(
            f"the run of message {found.id!r} is not kept any more", where="/message_id", mend="regenerate it"
        )
    return found.step.key


def _accepted(answer: ChatAnswer) -> Response:
    audit_target(answer.taskId)
    return answer_with(ChatAcceptedAnswer.model_validate(answer.model_dump()), 202)
