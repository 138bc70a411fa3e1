"""The fields of a form: what a person is asked for, as a small part of JSON Schema, and whether an answer fits.

No references, no patterns, nothing nested: an answer is checked in one pass over at most 50 fields.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.json import Json, JsonObject

MAX_FIELDS = 50
MAX_TEXT = 10_000
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$")]
Scalar = bool | int | float | Annotated[str, StringConstraints(max_length=MAX_TEXT)]
_KINDS = {
    "string": ((str,), "a text"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
}


class Misfit(ValueError):
    """An answer does not fit; `field` is the name of what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class FormField(BaseModel):
    """One field: of a type, or one of some values."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    type: Literal["string", "number", "integer", "boolean"] | None = Field(None, description="may be unset with `enum`")
    title: str | None = Field(None, max_length=100, description="shown in place of the name")
    description: str | None = Field(None, max_length=1000)
    enum: list[Scalar] | None = Field(None, min_length=1, max_length=100, description="the values to choose from")
    default: Scalar | None = Field(None, description="shown at first, and taken where the field is left out")
    minimum: float | None = None
    maximum: float | None = None
    max_length: int | None = Field(None, ge=1, le=MAX_TEXT, alias="maxLength")

    @model_validator(mode="after")
    def _is_sound(self) -> FormField:
        if self.type is None and self.enum is None:
            raise ValueError("give 'type' or 'enum'")
        for value in [*(self.enum or ()), *([] if self.default is None else [self.default])]:
            problem = self.problem(value)
            if problem is not None:
                raise ValueError(f"{value!r} in 'enum' or 'default' is not possible: {problem}")
        return self

    def problem(self, value: Json) -> str | None:
        """What is wrong with a value; None when it fits. 1 and true are two things, 1 and 1.0 are one."""
        if self.type is not None:
            types, words = _KINDS[self.type]
            if not isinstance(value, types) or (isinstance(value, bool) and self.type != "boolean"):
                return f"must be {words}"
        if self.enum is not None and not any(_same(value, choice) for choice in self.enum):
            return f"must be one of {', '.join(map(repr, self.enum))[:300]}"
        if isinstance(value, str) and len(value) > (self.max_length or MAX_TEXT):
            return f"must have at most {self.max_length or MAX_TEXT} characters"
        if isinstance(value, int | float) and not isinstance(value, bool):
            if self.minimum is not None and value < self.minimum:
                return f"must be at least {self.minimum:g}"
            if self.maximum is not None and value > self.maximum:
                return f"must be at most {self.maximum:g}"
        return None


class Form(BaseModel):
    """An object of fields, those in `required` among them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    type: Literal["object"] = "object"
    title: str | None = Field(None, max_length=100)
    description: str | None = Field(None, max_length=1000)
    properties: dict[FieldName, FormField] = Field(min_length=1, max_length=MAX_FIELDS)
    required: list[FieldName] = Field(default_factory=list, max_length=MAX_FIELDS)
    additional_properties: Literal[False] = Field(False, alias="additionalProperties", description="never; may be said")

    @model_validator(mode="after")
    def _requires_what_there_is(self) -> Form:
        for name in self.required:
            if name not in self.properties:
                raise ValueError(f"{name!r} is required, but is none of the properties")
        return self

    def fitted(self, answer: JsonObject) -> JsonObject:
        """The answer, with the defaults of fields that were left out. Raises: Misfit."""
        for name in answer:
            if name not in self.properties:
                raise Misfit(name[:64], f"is not asked for; the fields are {', '.join(self.properties)}")
        filled: JsonObject = {}
        for name, field in self.properties.items():
            if name in answer:
                problem = field.problem(answer[name])
                if problem is not None:
                    raise Misfit(name, problem)
                filled[name] = answer[name]
            elif field.default is not None:
                filled[name] = field.default
            elif name in self.required:
                raise Misfit(name, "is missing")
        return filled


def _same(value: Json, choice: Scalar) -> bool:
    return isinstance(value, bool) == isinstance(choice, bool) and value == choice
