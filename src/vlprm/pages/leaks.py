"""The leak check as a page: counts by source, benchmark and kind, and a few hits of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from vlprm.config.slices.leaks import LeaksSlice
from vlprm.leaks.search import Kind, LeakHit

SHOWN = 5
"""Hits named for each source, benchmark and kind."""
_SAYS = {
    Kind.PIXELS: "same pixels",
    Kind.NEAR: "near image",
    Kind.QUESTION: "same words",
    Kind.QUESTION_AND_IMAGE: "same words and image",
}


@dataclass(slots=True)
class Tally:
    """Hits counted, and the first few of each kind kept: its size does not grow with them."""

    counts: Counter[tuple[str, str, Kind]] = field(default_factory=Counter)
    shown: dict[tuple[str, str, Kind], list[LeakHit]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, hit: LeakHit) -> None:
        """Count a hit."""
        place = (hit.source, hit.benchmark, hit.kind)
        self.counts[place] += 1
        if len(self.shown[place]) < SHOWN:
            self.shown[place].append(hit)


def leaks_page(config: LeaksSlice, questions: Mapping[str, int], tally: Tally) -> str:
    """Questions of each source that share something with each benchmark.

    ``questions``: their number by source.
    """
    near = f"grey cells differ by at most {config.tolerance} of 255 levels"
    lines = [
        "# Benchmarks' questions among the sources",
        "",
        "Questions of a source that share something with at least one question of a benchmark.",
        "Same pixels: an image equal in size and every pixel. Near image: "
        + (near if config.tolerance is not None else "not looked for")
        + ".",
        "Same words: equal but for case, accents, blanks and punctuation. Words alone say little",
        "where a corpus asks all its images the same; the last column is one question with both.",
        f"Left out of the training: {', '.join(config.drop) or 'nothing'}.",
        "",
        "| source | questions | benchmark | " + " | ".join(_SAYS[kind] for kind in Kind) + " |",
        "|:--|--:|:--|" + "--:|" * len(Kind),
    ]
    for source, _ in config.sources:
        for benchmark, _ in config.benchmarks:
            cells = [f"{tally.counts[source, benchmark, kind]:,}" for kind in Kind]
            head = [source, f"{questions.get(source, 0):,}", benchmark]
            lines.append("| " + " | ".join([*head, *cells]) + " |")
    for (source, benchmark, kind), hits in sorted(tally.shown.items()):
        lines += ["", f"## {source} and {benchmark}: {_SAYS[kind]}", ""]
        for hit in hits:
            apart = f", {hit.distance} levels apart" if hit.distance is not None else ""
            more = f" and {hit.n - 1} more" if hit.n > 1 else ""
            lines.append(f"- `{hit.sample_id}`: `{hit.example}`{more}{apart}")
        left = tally.counts[source, benchmark, kind] - len(hits)
        lines += [f"- {left:,} more in the table of hits"] if left else []
    return "\n".join(lines) + "\n"
