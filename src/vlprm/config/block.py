"""The base of every configuration block: frozen, and a misspelt key is an error."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Block(BaseModel):
    """A part of the configuration.

    Scientific numbers have no defaults: the file is the statement.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def later(default: object, description: str = "") -> Any:
    """A key that came after results did: left out of what is written where it has its default, so
    that those results stay valid."""
    return Field(
        default=default, description=description, exclude_if=lambda value: value == default
    )
