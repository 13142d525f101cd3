"""The kinds of search. One module each: settings, label and colours, and what it keeps.

A new kind is a module here and its name in :data:`Search`; everything else reads this union.
"""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from vlprm.search.keep.beam import BeamSearch
from vlprm.search.keep.block import SearchBlock
from vlprm.search.keep.dvts import DVTS
from vlprm.search.keep.greedy import Greedy

Search = Annotated[Greedy | BeamSearch | DVTS, Field(discriminator="kind")]
"""A search as the configuration states it."""

_BLOCKS: tuple[type[SearchBlock], ...] = get_args(get_args(Search)[0])
KINDS = {get_args(block.model_fields["kind"].annotation)[0]: block for block in _BLOCKS}
"""The value of ``kind`` -> its block."""
