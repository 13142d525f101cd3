"""The base of every configuration block: frozen, and a misspelt key is an error."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A part of the configuration.

    Scientific numbers have no defaults: the file is the statement.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
