"""What is wrong with a body or query, as JSON pointers and sentences that hold no value that was sent."""

from __future__ import annotations

from pydantic import ValidationError

MAX_FAULTS = 20

# What to do, by pydantic's type of error. A `value_error` is a sentence of our own validators and says it itself.
_MEND = {
    "missing": "add the field",
    "extra_forbidden": "leave the field out, or check its spelling",
    "json_invalid": "send valid JSON",
    "model_type": "send an object",
    "dict_type": "send an object",
    "list_type": "send a list",
    "tuple_type": "send a list",
    "string_type": "send a text",
    "bool_type": "send true or false",
    "bool_parsing": "send true or false",
    "int_type": "send a whole number",
    "int_parsing": "send a whole number",
    "float_type": "send a number",
    "float_parsing": "send a number",
}


def faults(error: ValidationError) -> list[dict[str, str]]:
    """The faults, at most 20, each with `where`, `detail` and `mend`."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {
            "where": pointer(fault["loc"]),
            "detail": _sentence(fault["msg"]),
            "mend": _MEND.get(fault["type"], "send a value as described in /openapi.json"),
        }
        for fault in found[:MAX_FAULTS]
    ]


def pointer(path: tuple[int | str, ...]) -> str:
    """A JSON pointer (RFC 6901); "" is the whole document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
