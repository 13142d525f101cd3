"""The leak check: what training questions share with those of the benchmarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from vlprm.config.slices.leaks import LeaksSlice
from vlprm.io import parquet
from vlprm.io.atomic import write_text
from vlprm.io.keys import Files, shards
from vlprm.io.manifest import recorded
from vlprm.leaks.fingerprints import Fingerprint
from vlprm.leaks.search import Index, LeakHit
from vlprm.pages.leaks import Tally, leaks_page
from vlprm.stages import VERSIONS, In, Out


def run(config: LeaksSlice, sources: list[In], benchmarks: list[In], hits: Out, page: Out) -> None:
    """Read fingerprints of sources and benchmarks; write a table of hits and a page.

    The benchmarks are in memory, the sources pass by.
    """
    with recorded(
        "leaks",
        VERSIONS["leaks"],
        config.model_dump(mode="json"),
        inputs=sorted([*sources, *benchmarks]),
        outputs=[hits, page],
    ) as counts:
        known = Files(benchmarks, Fingerprint, [k for b in config.benchmarks for k in shards(*b)])
        asked = Files(sources, Fingerprint, [k for s in config.sources for k in shards(*s)])
        index = Index(config.tolerance)
        for name, _ in config.benchmarks:
            index.add(name, parquet.iterate(known.of(dataset=name), Fingerprint))
        questions: Counter[str] = Counter()
        tally = Tally()

        def found() -> Iterator[LeakHit]:
            for name, _ in config.sources:
                for item in parquet.iterate(asked.of(dataset=name), Fingerprint):
                    questions[name] += 1
                    for hit in index.hits(name, item):
                        tally.add(hit)
                        yield hit

        counts["hits"] = parquet.write(found(), hits, LeakHit, keys={})
        counts["questions"] = questions.total()
        write_text(page, leaks_page(config, questions, tally))
