"""Counts of the labels beside those of the published data (specification, field 1.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlprm.config.published_counts import published_counts

_COLUMNS = {
    "right": "A: judged right",
    "wrong": "judged wrong",
    "none": "no verdict",
    "records": "B: left by the filter",
    "correct": "right, labelled",
    "incorrect": "wrong, labelled",
    "disagree": "right, not labelled",
    "training": "C: labelled",
    "perception": "first error in perception",
    "reasoning": "in reasoning",
}


def label_counts_page(
    rows: Sequence[Mapping[str, object]], kinds: Mapping[str, str], facts: Mapping[str, str]
) -> str:
    """A table with two lines for each source: this run's, and the published one if there is one.

    ``rows``: the fields of ``metrics.label_counts.LabelCounts``; ``kinds``: kind of each source.
    """
    published = published_counts()
    lines = ["# Labels, as the published data were counted", ""]
    lines += [f"- **{name}:** {fact}" for name, fact in facts.items()]
    heads = ["source", "counts of", *_COLUMNS.values(), "% right of C"]
    lines += ["", "| " + " | ".join(heads) + " |", "|:--|:--|" + "--:|" * (len(heads) - 2)]
    for row in rows:
        name = str(row["source"])
        lines.append(_line(name, "this run", row))
        wanted = published.get(kinds.get(name, ""))
        if name == "all" and set(published) == set(kinds.values()):
            wanted = {key: sum(item[key] for item in published.values()) for key in _COLUMNS}
        if wanted is not None:
            lines.append(_line("", "published", wanted))
    lines += [
        "",
        "A: rollouts by the judge's verdict, before the authors' clean-up of malformed ones. B: of",
        "these, what the filter of the panel leaves. C: what is trained on; with the rule",
        "`consensus`, right and every step above the threshold, and all judged wrong. Published",
        "figures: outputs of the authors' notebooks.",
    ]
    return "\n".join(lines) + "\n"


def _line(source: str, whose: str, row: Mapping[str, object]) -> str:
    correct, training = int(str(row["correct"])), int(str(row["training"]))
    share = f"{100 * correct / training:.1f}" if training else "–"
    cells = [source, whose, *(f"{row[name]:,}" for name in _COLUMNS), share]
    return "| " + " | ".join(cells) + " |"
