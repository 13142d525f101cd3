"""Judges side by side, as a page: what each says, how far two agree, whom a filter leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlprm.pages.strategies import interval

_HEADS = {
    "all_right": "all right",
    "perception": "first error in perception",
    "reasoning": "in reasoning",
    "solution": "in solution",
    "unusable": "no usable verdict",
}
_PAIR_HEADS = (
    *("source", "judges", "both usable", "same conclusion", "kappa"),
    *("both wrong", "same step", "earlier", "later"),
)
_FILTERS = {
    "all": "rollouts",
    "usable": "every judge gave a usable verdict",
    "same_conclusion": "and all say right, or all say wrong",
    "same_step": "and all name the same step, or none",
}


def judges_page(
    classes: Sequence[str],
    counts: Mapping[tuple[str, str], Sequence[int]],
    pairs: Sequence[Mapping[str, object]],
    left: Mapping[str, Mapping[str, int]],
    keep: str,
) -> str:
    """All tables.

    ``counts``: by source and judge, rollouts of each of ``classes``; ``pairs``: the fields of
    ``metrics.judge_agreement.JudgePair``; ``left``: by source, whom each filter leaves; ``keep``:
    the one in force.
    """
    lines = ["# Judges side by side", "", "## What each judge says", ""]
    lines += ["| source | judge | " + " | ".join(_HEADS[name] for name in classes) + " |"]
    lines += ["|:--|:--|" + "--:|" * len(classes)]
    for (source, judge), row in counts.items():
        lines.append("| " + " | ".join([source, judge, *(f"{n:,}" for n in row)]) + " |")
    lines += [
        "",
        "## Agreement of two",
        "",
        "Of the rollouts that both have a usable verdict of: the share of which both say right, or",
        "both say wrong, in % with its interval over questions, and Cohen's kappa. Of those that",
        "both call wrong: whether the second judge's first error is the same step, an earlier or a",
        "later one.",
        "",
        "| " + " | ".join(_PAIR_HEADS) + " |",
        "|:--|:--|" + "--:|" * (len(_PAIR_HEADS) - 2),
    ]
    for item in pairs:
        value = interval((item["agreement"], item["low"], item["high"]))  # type: ignore[arg-type]
        kappa = item["kappa"]
        cells = [
            str(item["source"]),
            f"{item['first']} · {item['second']}",
            f"{item['both']:,}",
            value,
            f"{kappa:.3f}" if isinstance(kappa, float) else "–",
            *(f"{item[name]:,}" for name in ("both_wrong", "same_step", "earlier", "later")),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    for item in pairs:
        if item["source"] == pairs[-1]["source"]:  # all sources together
            lines += ["", *_confusion(classes, item)]
    lines += ["", "## Whom a filter of the panel leaves", "", f"In force: `keep: {keep}`.", ""]
    lines += ["| source | " + " | ".join(_FILTERS.values()) + " |"]
    lines += ["|:--|" + "--:|" * len(_FILTERS)]
    for source, found in left.items():
        cells = [source, *(f"{found[name]:,}" for name in _FILTERS)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _confusion(classes: Sequence[str], item: Mapping[str, object]) -> list[str]:
    table = list(item["confusion"])  # type: ignore[call-overload]
    size = len(classes)
    lines = [f"{item['first']} (rows) and {item['second']} (columns), {item['source']}:", ""]
    lines += ["| | " + " | ".join(_HEADS[name] for name in classes) + " |"]
    lines += ["|:--|" + "--:|" * size]
    for place, name in enumerate(classes):
        cells = [f"{n:,}" for n in table[place * size : (place + 1) * size]]
        lines.append("| " + " | ".join([_HEADS[name], *cells]) + " |")
    return lines
