"""Kinds of data sets: the one list of the benchmarks and sources that there are.

A name here is what a configuration says (``data.kind``), the module ``vlprm.benchmarks.<name>`` or
``vlprm.sources.<name>``, and the table of cases ``tests/cases/<name>.json``. A new data set is that
module, its name here, and its cases. This module is light, so that a configuration can be read
without the libraries that read rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

BENCHMARKS: Final = (
    "puzzlevqa",
    "algopuzzlevqa",
    "mathvista",
    "mathvision",
    "mmmu",
)
"""Each module has a ``BENCHMARK`` (``benchmarks.benchmark.Benchmark``)."""

SOURCES: Final = (
    "vqav2",
    "ai2d",
    "clevr",
    "dvqa",
    "infovqa",
    "raven",
)
"""Each module has a ``SOURCE`` (``sources.source.Source``)."""

if TYPE_CHECKING:
    FileKind = str
else:
    FileKind = Literal[(*SOURCES, *BENCHMARKS)]
