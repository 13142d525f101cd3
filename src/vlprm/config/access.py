"""How judges behind addresses are reached and paid: access, no content, so no part of a slice.

Where a call goes, with which key, how fast and for how much changes no reply. So nothing here is in
a stage's parameters or in the keys of a ledger: other endpoints ask nothing again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from vlprm.config.block import Block
from vlprm.config.named import Text, Url, Variable

UNLIMITED = "unlimited"
Budget = Annotated[float, Field(ge=0)] | Literal["unlimited"]
"""The most that a judge may cost in one run, in the currency of its model's price."""


def _without_key(url: str) -> str:
    """Addresses are shown; keys are not."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None or parts.query:
        raise ValueError(
            "the address holds a user or a query, and addresses are shown; "
            "name the variable that holds the key in key_env"
        )
    return url


class Endpoint(Block):
    """One address that answers for the judge's model, with limits of its own."""

    kind: Literal["openai", "azure"] = Field(
        default="openai", description="openai: any server that speaks its protocol"
    )
    base_url: Annotated[Url, AfterValidator(_without_key)] = Field(
        description="https://host/v1; azure: https://NAME.openai.azure.com"
    )
    key_env: Variable | None = Field(
        default=None, description="environment variable that holds the key; null: none is needed"
    )
    api_version: Text | None = Field(default=None, description="azure alone")
    deployment: Text | None = Field(default=None, description="azure alone")
    model: Text | None = Field(
        default=None, description="what this endpoint calls the model, where it is another name"
    )
    requests_per_minute: int | None = Field(default=None, gt=0, description="null: no limit")
    tokens_per_minute: int | None = Field(
        default=None, gt=0, description="prompt and max_tokens, as they are billed; null: no limit"
    )

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        own = {"api_version": self.api_version, "deployment": self.deployment}
        if self.kind == "azure":
            missing = [name for name, value in own.items() if value is None]
            if missing:
                raise ValueError(f"kind azure needs {', '.join(missing)}; add it")
        elif given := [name for name, value in own.items() if value is not None]:
            raise ValueError(f"kind openai takes no {', '.join(given)}; remove it, or say azure")
        return self

    @property
    def name(self) -> str:
        """What messages and accounts call it: the address, and whose quota it has."""
        return " ".join(
            filter(None, (self.base_url.rstrip("/"), self.deployment or self.model, self.key_env))
        )

    @property
    def limited(self) -> bool:
        """Whether it has a limit at all."""
        return self.requests_per_minute is not None or self.tokens_per_minute is not None


def listed_once(endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """The endpoints; ValueError where one stands twice and would be asked twice as fast."""
    again = [name for name, n in Counter(item.name for item in endpoints).items() if n > 1]
    if again:
        raise ValueError(f"{again[0]} is listed twice; once is enough")
    return endpoints


Endpoints = Annotated[tuple[Endpoint, ...], AfterValidator(listed_once)]


class Price(Block):
    """What a model costs."""

    input: float = Field(ge=0, description="for a million tokens of prompt")
    output: float = Field(ge=0, description="for a million tokens of reply, thoughts included")
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="USD, EUR")

    @property
    def free(self) -> bool:
        """Whether calls cost nothing."""
        return self.input == 0 and self.output == 0

    def of(self, prompt: float, reply: float) -> float:
        """Money for so many tokens."""
        return (prompt * self.input + reply * self.output) / 1e6


class Access(Block):
    """All that the ``judge`` stage is told beside its slice, as JSON."""

    endpoints: Endpoints = ()
    late_tries: Annotated[int, Field(gt=0)] = 1
    price: Price | None = None
    budget: Budget | None = None
    bill: str = Field(default="", description="name under which money is counted: the judge's")
    account: str = Field(
        default="", description="file where a run's jobs keep account; empty: none is kept"
    )

    @property
    def kept(self) -> bool:
        """Whether there is anything to keep account of: a limit, or a price."""
        return any(item.limited for item in self.endpoints) or self.paid

    @property
    def paid(self) -> bool:
        """Whether calls cost money."""
        return self.price is not None and not self.price.free

    @property
    def most(self) -> float | None:
        """The budget as a number; None: no bound."""
        return None if self.budget in (None, UNLIMITED) else float(self.budget)


def per_minute(endpoints: Sequence[Endpoint], tokens: float) -> float | None:
    """Calls of so many tokens each that all endpoints take in a minute; None: no limit."""
    total = 0.0
    for item in endpoints:
        bounds = [float(item.requests_per_minute)] if item.requests_per_minute else []
        bounds += [item.tokens_per_minute / tokens] if item.tokens_per_minute else []
        if not bounds:
            return None
        total += min(bounds)
    return total or None
