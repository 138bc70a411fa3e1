"""Finds language models by name: `provider/model`. Made once a process, of what the settings say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.errors import InvalidChat
from orchestration.models import demo, pipes
from orchestration.models.chat_completions import Endpoint, KeyedEndpoint, SecretOf, no_secrets
from orchestration.models.port import LanguageModel
from schemas.chat import Mixture
from schemas.model_providers import read_mixtures, read_providers

MOST_NAMED = 20


@dataclass(frozen=True)
class ModelShown:
    """A model as people choose it. `name` is `provider/model`."""

    name: str
    label: str
    provider: str
    continues: bool


class ModelRegistry:
    """The providers of the settings, the demo's models and the pipes. Opens no connection until a model is asked.

    `providers`, `mixtures`: as of the settings PERDURE_MODEL_PROVIDERS and PERDURE_MIXTURES. `default`: the model asked
    where none is named; empty: the first of the list. Raises: ValueError for what cannot be read.
    """

    def __init__(
        self,
        providers: Mapping[str, Any] | None = None,
        *,
        demo_models: bool = True,
        mixtures: Mapping[str, Any] | None = None,
        default: str = "",
    ) -> None:
        self._endpoints = {name: Endpoint(name, spec) for name, spec in read_providers(providers or {}).items()}
        self._demo = demo.DemoModels() if demo_models else None
        self.mixtures: Mapping[str, Mixture] = read_mixtures(mixtures or {})
        self._default = default

    def find(self, name: str, secret_of: SecretOf = no_secrets) -> tuple[LanguageModel, str]:
        """The provider of `provider/model`, and what it calls the model.

        `secret_of(name, host=...)` reads a provider's key when it is asked, as `ActionContext.secret` does.
        Raises: InvalidChat, which says what there is.
        """
        provider, _, model = name.partition("/")
        endpoint = self._endpoints.get(provider)
        if endpoint is not None and model and (not endpoint.spec.models or model in endpoint.spec.models):
            return KeyedEndpoint(endpoint, secret_of), model
        if self._demo is not None and provider == demo.NAME and model in demo.MODELS:
            return self._demo, model
        pipe = pipes.known_pipes().get(model) if provider == pipes.NAME else None
        if pipe is not None:
            return pipe, model
        raise InvalidChat(self._unknown(name, provider), mend=self._mend())

    def models(self) -> list[ModelShown]:
        """All models that can be listed, with what people read; those of a provider that takes any name cannot be."""
        found = [
            ModelShown(
                f"{name}/{model}", f"{endpoint.spec.label or name}: {model}", name, endpoint.spec.continues != "none"
            )
            for name, endpoint in self._endpoints.items()
            for model in endpoint.spec.models
        ]
        found += [
            ModelShown(f"{pipes.NAME}/{name}", pipe.label, pipes.NAME, pipe.continues)
            for name, pipe in pipes.known_pipes().items()
        ]
        if self._demo is not None:
            found += [
                ModelShown(f"{demo.NAME}/{name}", f"{demo.LABEL} {model.label}", demo.NAME, True)
                for name, model in demo.MODELS.items()
            ]
        return found

    @property
    def default(self) -> str:
        """The model that is asked where none is named. Raises: InvalidChat when there is none."""
        found = self._default or next((model.name for model in self.models()), "")
        if not found:
            raise InvalidChat("there is no default model", mend=self._mend())
        return found

    def prepare(self) -> None:
        """Load what the first answer would have to wait for (about a second); of use where answers are sure to come."""
        for endpoint in self._endpoints.values():
            endpoint.prepare()

    def close(self) -> None:
        """Close idle connections. Answers that are being read are cut off."""
        for endpoint in self._endpoints.values():
            endpoint.close()

    def _unknown(self, name: str, provider: str) -> str:
        if provider in self._endpoints or (provider == demo.NAME and self._demo is not None) or provider == pipes.NAME:
            here = [model.name for model in self.models() if model.provider == provider]
            return f"there is no model {name[:300]!r}; {provider} has {_listed(here)}"
        providers = [*self._endpoints, *([demo.NAME] if self._demo is not None else [])]
        providers += [pipes.NAME] if pipes.known_pipes() else []
        return f"there is no model {name[:300]!r}: there is no provider {provider[:70]!r}, but {_listed(providers)}"

    def _mend(self) -> str:
        return "name a model that GET /v1/models lists, or add its provider to PERDURE_MODEL_PROVIDERS"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more if names else "none"
