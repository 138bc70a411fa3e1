"""What settings say of the providers of language models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, ValidationError, field_validator

from schemas.base import Strict
from schemas.chat import Mixture

PROVIDER_PATTERN = r"[a-z0-9][a-z0-9_-]{0,63}"
RESERVED = frozenset({"demo", "pipe"})
SECRET_PATTERN = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"

OwnName = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f]{1,200}$")]

Continues = Literal["none", "vllm", "deepseek", "mistral"]
"""How a provider is told to go on from the beginning of an answer, which is sent as the last message, of the assistant.

`vllm`: by `continue_final_message`. `deepseek`: by `"prefix": true` on the message. `mistral`: the same, and its answer
repeats the beginning, which is dropped. `none`: it cannot.
"""


class ProviderSpec(Strict):
    """An endpoint that speaks OpenAI's chat completions."""

    base_url: str = Field(max_length=2000, description="with the path up to `/chat/completions`, often `/v1`")
    secret: str | None = Field(None, pattern=SECRET_PATTERN, description="name of the secret that holds the key")
    models: tuple[OwnName, ...] = Field((), max_length=1000, description="what it offers; empty: it is asked for any")
    label: str = Field("", max_length=100, description="what people read; empty: the provider's name")
    continues: Continues = "none"
    connect_s: float = Field(10, gt=0, le=600, description="seconds until a connection stands")
    first_token_s: float = Field(120, gt=0, le=86_400, description="seconds until the first token")
    idle_s: float = Field(60, gt=0, le=86_400, description="seconds between two tokens")
    timeout_s: float | None = Field(None, gt=0, le=86_400, description="seconds for a whole answer; unset: the step's")
    usage: bool = Field(True, description="ask it to count tokens; off for one that refuses `stream_options`")
    limit_word: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="what it calls the limit of an answer's tokens"
    )

    @field_validator("base_url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or any(character.isspace() for character in url):
            raise ValueError("is not an http or https URL")  # without the URL, which may hold a password
        if parts.query or parts.fragment:
            raise ValueError("may have no query and no fragment: the path of each call is put behind it")
        return url.rstrip("/")

    @property
    def host(self) -> str:
        """The name of the host that the key is sent to."""
        return urlsplit(self.base_url).hostname or ""


def read_providers(providers: Mapping[str, Any]) -> dict[str, ProviderSpec]:
    """The providers by name. Raises: ValueError, whose text holds no value."""
    read = {}
    for name, said in providers.items():
        if not re.fullmatch(PROVIDER_PATTERN, name):
            raise ValueError(f"{name[:70]!r} is no name of a provider: use lower-case letters, digits, '-' and '_'")
        if name in RESERVED:
            raise ValueError(f"{name!r} is the name of a built-in provider; choose another")
        try:
            read[name] = ProviderSpec.model_validate(said)
        except ValidationError as error:
            raise ValueError(f"the provider {name!r}: {_in_words(error)}") from None
    return read


def read_mixtures(mixtures: Mapping[str, Any]) -> dict[str, Mixture]:
    """The mixtures by name. Raises: ValueError."""
    read = {}
    for name, said in mixtures.items():
        if not re.fullmatch(PROVIDER_PATTERN, name):
            raise ValueError(f"{name[:70]!r} is no name of a mixture: use lower-case letters, digits, '-' and '_'")
        try:
            read[name] = Mixture.model_validate(said)
        except ValidationError as error:
            raise ValueError(f"the mixture {name!r}: {_in_words(error)}") from None
    return read


def passwords(providers: Mapping[str, Any]) -> list[str]:
    """The passwords in the providers' URLs, which no log may show."""
    urls = (spec.base_url for spec in read_providers(providers).values())
    return [password for url in urls if (password := urlsplit(url).password)]


def _in_words(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        " ".join([".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, ")]).strip()
        for problem in problems
    )
