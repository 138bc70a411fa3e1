"""Whether a step takes a signal, and whether what the signal carries is what the step asks for."""

from __future__ import annotations

from orchestration.actions.declaration import ActionDeclaration
from orchestration.errors import IllegalControl, InvalidSignal
from schemas.form import Misfit
from schemas.json import JsonObject


def fitted_signal(
    declared: ActionDeclaration | None, params: JsonObject, payload: JsonObject, *, step: str
) -> JsonObject:
    """The payload, with the defaults of what it leaves out.

    `declared` is None for an action that is not known here. Raises: IllegalControl, InvalidSignal.
    """
    if declared is None or not declared.accepts_signal:
        raise IllegalControl(f"step {step!r} takes no signal", where="/step", mend="signal a wait_for_signal step")
    form = None if declared.signal_form is None else declared.signal_form(params)
    if form is None:
        return payload
    try:
        return form.fitted(payload)
    except Misfit as misfit:
        raise InvalidSignal(
            f"step {step!r} asks for something else: {misfit}",
            where=f"/payload/{misfit.field.replace('~', '~0').replace('/', '~1')}",
            mend="GET /workflow/steps?step=<key> shows what is asked for, in the 'fields' of the step's params",
        ) from misfit
