"""Conversations, messages and what is asked of models.

A conversation is a tree of messages: `parent` is what a message follows, those with one parent are branches of it.
An answer is written by a step of a run, whose public id is its `run_id`; the run is stopped, retried and read like any.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from schemas.base import Strict
from schemas.json import JsonObject
from schemas.workflow import PublicId

MAX_MESSAGE = 200_000
MAX_CONTEXT_MESSAGES = 1000
MAX_PROPOSERS = 8
MAX_LAYERS = 3
MAX_FILTERS = 16
# More than this of an attempt is no count of tokens, whoever said it.
MAX_TOKENS = 1 << 40
FILTER_PATTERN = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$"

# A provider's name and the name the provider has for the model, which may itself hold slashes: `openai/gpt-5`.
ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}/[^\s\x00-\x1f]{1,200}$")]
FilterName = Annotated[str, StringConstraints(pattern=FILTER_PATTERN, max_length=100)]

_MODEL_NAME: TypeAdapter[str] = TypeAdapter(ModelName)


def is_model_name(name: str) -> bool:
    """Whether a model can have this name."""
    try:
        _MODEL_NAME.validate_python(name)
    except ValidationError:
        return False
    return True


class ChatRole(StrEnum):
    """Who says a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class MessageStatus(StrEnum):
    """How far a message is. `stopped`: by a person, what was written by then is kept."""

    WRITING = "writing"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"


class TextPart(BaseModel):
    """A part of a message; only texts are taken."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: Literal["text"]
    text: str = Field(max_length=MAX_MESSAGE)


class SentMessage(BaseModel):
    """What a user says."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: PublicId | None = Field(None, description="makes the request idempotent; unset: the server's choice")
    role: Literal["user"] = "user"
    parts: tuple[TextPart, ...] = Field(min_length=1, max_length=100)

    @property
    def text(self) -> str:
        """All parts as one text."""
        return "\n".join(part.text for part in self.parts)


class ChatModel(BaseModel):
    """A model by its provider's name and its own."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    provider: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    model: str = Field(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f]+$")

    @property
    def name(self) -> str:
        """As one word: `provider/model`."""
        return f"{self.provider}/{self.model}"


class ModelParameters(Strict):
    """What a model is told beside the messages. Unset: the provider's own default."""

    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    max_tokens: int | None = Field(None, ge=1, le=1_000_000, description="tokens of the answer")
    stop: tuple[Annotated[str, StringConstraints(min_length=1, max_length=200)], ...] = Field((), max_length=8)
    seed: int | None = Field(None, ge=0, le=2**53)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)


class ContextMessage(Strict):
    """A message as the model is told it."""

    role: ChatRole
    content: str


class ConversationSettings(Strict):
    """What holds for all that is said in a conversation from now on, and for answers that are written again."""

    system: str | None = Field(
        None,
        max_length=MAX_MESSAGE,
        description="instructions, in place of those that the conversation began with; empty: none; null: those",
    )
    parameters: ModelParameters | None = Field(None, description="where a message says nothing else of its own")

    def instruct(self, messages: tuple[ContextMessage, ...]) -> tuple[ContextMessage, ...]:
        """The same messages, told with these instructions."""
        if self.system is None:
            return messages
        rest = tuple(message for message in messages if message.role is not ChatRole.SYSTEM)
        return (ContextMessage(role=ChatRole.SYSTEM, content=self.system), *rest) if self.system.strip() else rest

    def below(self, own: ModelParameters) -> ModelParameters:
        """These parameters, with what a message says of its own in their place."""
        if self.parameters is None:
            return own
        return self.parameters.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})


class ChatContext(Strict):
    """The request as it was accepted: nothing that changes later changes what the model is told."""

    messages: tuple[ContextMessage, ...] = Field(min_length=1, max_length=MAX_CONTEXT_MESSAGES)
    parameters: ModelParameters = ModelParameters()
    filters: tuple[FilterName, ...] = Field((), max_length=MAX_FILTERS)
    user: str = ""


class Mixture(Strict):
    """A mixture of agents: proposers answer at once, in layers, and an aggregator makes one answer of theirs.

    Source: Wang et al., "Mixture-of-Agents Enhances Large Language Model Capabilities", 2024.
    """

    proposers: tuple[ModelName, ...] = Field(min_length=1, max_length=MAX_PROPOSERS)
    aggregator: ModelName
    layers: int = Field(1, ge=1, le=MAX_LAYERS, description="rounds of proposals; each sees those of the one before")
    quorum: int | None = Field(None, ge=1, description="least number of proposals in each layer; unset: one")

    @model_validator(mode="after")
    def _can_be_met(self) -> Mixture:
        if self.quorum is not None and self.quorum > len(self.proposers):
            raise ValueError(f"a quorum of {self.quorum} of {len(self.proposers)} proposers cannot be met")
        return self


def _each_once(models: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(models)) < len(models):
        raise ValueError("a model is named twice; a battle is between different ones")
    return models


Contenders = Annotated[tuple[ModelName, ...], Field(min_length=2, max_length=4), AfterValidator(_each_once)]


class ChatRequest(BaseModel):
    """A message to a conversation, and who is to answer: a model, a mixture, or the models of a battle.

    `id` is the conversation's; one that is not there yet begins with this message. `parent` is the message that this
    one follows: unset, the last of the branch that was read last; null, it begins the conversation anew (as an edit of
    the first message does).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: PublicId
    message: SentMessage
    chatModel: ChatModel | None = None  # noqa: N815 - as clients send it
    mixture: Mixture | None = None
    battle: Contenders | None = Field(None, description="models that answer side by side, blind")
    parent: PublicId | None = None
    system: str | None = Field(None, max_length=MAX_MESSAGE, description="instructions, said before all messages")
    parameters: ModelParameters = ModelParameters()
    settings: ConversationSettings | None = Field(None, description="kept with the conversation, for all that follows")
    filters: tuple[FilterName, ...] = Field((), max_length=MAX_FILTERS)

    @model_validator(mode="after")
    def _one_answers(self) -> ChatRequest:
        if sum(asked is not None for asked in (self.chatModel, self.mixture, self.battle)) > 1:
            raise ValueError("name one of chatModel, mixture and battle")
        return self

    @property
    def says_parent(self) -> bool:
        """Whether the request says what its message follows, were it nothing."""
        return "parent" in self.model_fields_set


class RegenerateRequest(BaseModel):
    """Another answer beside one that is there; unset fields are as they were for that one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    chatModel: ChatModel | None = None  # noqa: N815 - as clients send it
    mixture: Mixture | None = None
    parameters: ModelParameters | None = None


class ConversationChange(BaseModel):
    """What of a conversation may be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str | None = Field(None, min_length=1, max_length=200)
    leaf: PublicId | None = Field(None, description="the last message of the branch that is read")
    settings: ConversationSettings | None = Field(None, description="in place of all that there were")


class Vote(BaseModel):
    """What somebody thinks of a battle: the better message's id, or neither."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    verdict: Literal["winner", "tie", "all_bad"]
    winner: PublicId | None = None

    @model_validator(mode="after")
    def _winner_is_named(self) -> Vote:
        if (self.verdict == "winner") != (self.winner is not None):
            raise ValueError("name a winner with the verdict 'winner', and with no other")
        return self


class Usage(BaseModel):
    """Tokens, as the provider counted them; `estimated`: it did not, and these are guessed from the text's length."""

    model_config = ConfigDict(frozen=True)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False

    @property
    def is_plausible(self) -> bool:
        """Whether these can be counts of tokens."""
        return 0 <= self.prompt_tokens <= MAX_TOKENS and 0 <= self.completion_tokens <= MAX_TOKENS

    @property
    def total_tokens(self) -> int:
        """Both."""
        return self.prompt_tokens + self.completion_tokens


class Timings(BaseModel):
    """How long a generation took, in milliseconds from when its attempt began to ask the model."""

    model_config = ConfigDict(frozen=True)
    first_token_ms: float | None = None
    total_ms: float = 0
    tokens_per_s: float | None = None


class StepShown(BaseModel):
    """How the step stands that writes a message: what it waits for, and until when.

    `doing`: what its attempt last said that it does, such as `Thinking`. `doing_since`: since when, to half a second;
    null for the moment until that is stored.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    key: str
    status: str
    attempt: int
    waiting_for: str | None = None
    until: datetime | None = None
    doing: str | None = None
    doing_since: datetime | None = None


class Message(BaseModel):
    """A message as it is read. `position`: the place in its run's event stream up to which `text` holds all; the events
    behind it go on from there. `model` is null for an answer of a battle nobody has voted on. `error` of one that is
    completed says why it could not be written anew.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    conversation_id: str | None
    parent: str | None
    part: Literal["message", "proposal"]
    role: ChatRole
    status: MessageStatus
    text: str
    model: str | None
    run_id: str | None
    battle: str | None
    vote: Vote | None = Field(None, description="what was thought of its battle, once somebody has voted")
    agents: int = Field(0, description="how many proposals it is made of: read the message itself for them")
    step: StepShown | None = None
    attempt: int | None = None
    position: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    error: JsonObject | None = None
    created_by: str
    created_at: datetime
    ended_at: datetime | None = None
    proposals: tuple[Message, ...] | None = None


class Conversation(BaseModel):
    """A conversation in a list. `writing`: how many of its messages are being written."""

    model_config = ConfigDict(frozen=True)
    id: str
    title: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    leaf: str | None
    writing: int = 0


class ChatAnswer(BaseModel):
    """What `POST /api/chat` answers. `taskId` is the run's id; `id` the answer's, of a battle the first one's."""

    model_config = ConfigDict(frozen=True)
    id: str
    role: Literal["assistant"] = "assistant"
    content: str = ""
    taskId: str  # noqa: N815 - as clients read it
    orchestrated: Literal[True] = True
    conversation_id: str
    message_id: str = Field(description="the user's message")
    answers: tuple[str, ...] = Field(description="ids of all answers: one, or those of a battle")
    battle: str | None = None


class Rating(BaseModel):
    """A model's place in the table of battles."""

    model_config = ConfigDict(frozen=True)
    model: str
    rating: float = Field(description="Bradley-Terry strength on the scale of Elo, 1000 on average")
    elo: float = Field(description="Elo rating after the battles in the order of their votes, K = 32, from 1000")
    battles: int
    wins: int
    losses: int
    ties: int
