"""The body of a start of many runs. A fault of one of them is named with its place, such as `/runs/3/name`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydantic import ValidationError

from api.refusal import Refusal
from api.validation import faults
from orchestration.errors import PerdureError
from schemas.requests import StartRequest


def read_runs(given: Sequence[object]) -> list[StartRequest]:
    """The bodies of the runs. Raises: Refusal (400)."""
    read = []
    for place, body in enumerate(given):
        with placed(f"/runs/{place}"):
            read.append(StartRequest.model_validate(body))
    return read


@contextmanager
def placed(where: str) -> Iterator[None]:
    """Put a place before the places that errors name."""
    try:
        yield
    except ValidationError as error:
        first = faults(error)[0]
        raise Refusal(
            400, "invalid_request", first["detail"], where=where + first["where"], mend=first["mend"]
        ) from error
    except PerdureError as error:
        error.where = where + (error.where or "")
        raise
    except Refusal as refusal:
        refusal.where = where + (refusal.where or "")
        raise
