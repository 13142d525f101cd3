"""Counts in the published form, from tables to the page; the published figures add up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.keyed_run import rollout
from vlprm.config.published_counts import published_counts
from vlprm.config.slices.label_counts import LabelCountsSlice
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.metrics.label_counts import LabelCounts
from vlprm.records import Rollout, Section, StepLabel, Verdict
from vlprm.stages import label_counts

CONFIG = LabelCountsSlice(
    sources=(("s", 1, "vqav2"), ("t", 1, "matrix")), policy="small", rule="consensus",
    keep="usable", panel=("a",),
)  # fmt: skip
# the judge, whether the panel's verdict is usable, the labels; steps: perception, reasoning
CASES: list[tuple[int | str | None, bool, tuple[int, ...]]] = [
    (None, True, (1, 1)), (None, True, ()), (None, False, ()), (0, True, (0,)),
    (1, True, (1, 0)), (1, True, (1, 0)), ("none", True, ()), (1, True, ()),
]  # fmt: skip


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {
        name: [] for name in ("rollouts", "labels", "verdicts", "panel")
    }
    for dataset, cases in (("s", CASES), ("t", CASES[:1])):
        keys = {"dataset": dataset, "shard": "000", "policy": "small"}
        solved = []
        for k in range(len(cases)):
            item = rollout(f"{dataset}/{k}", "small", 0)
            sections = (Section.PERCEPTION, Section.REASONING)
            steps = tuple(
                step.model_copy(update={"section": section})
                for step, section in zip(item.steps[:2], sections, strict=True)
            )
            solved.append(item.model_copy(update={"steps": steps}))
        said, beside, labels = [], [], []
        for item, (error, usable, values) in zip(solved, cases, strict=True):
            for verdicts, at, ok in ((said, error, error != "none"), (beside, None, usable)):
                verdicts.append(Verdict.model_validate({
                    "rollout_id": item.id, "judge": "j", "raw": "",
                    "first_error": at if ok else None, "status": "ok" if ok else "unparsed",
                }))  # fmt: skip
            labels += [
                StepLabel.model_validate(
                    {"rollout_id": item.id, "step_index": k, "label": value, "rule": "r"}
                )
                for k, value in enumerate(values)
            ]
        for kind, records, record, own in (
            ("rollouts", solved, Rollout, keys), ("labels", labels, StepLabel, keys),
            ("verdicts", said, Verdict, keys), ("panel", beside, Verdict, keys | {"judge": "a"}),
        ):  # fmt: skip
            found[kind].append(tmp_path / dataset / f"{kind}.parquet")
            parquet.write(records, found[kind][-1], record, keys=own)  # type: ignore[type-var]
    return found


def test_counts_and_page(tables: dict[str, list[Path]], tmp_path: Path) -> None:
    counted, page = tmp_path / "counts.parquet", tmp_path / "counts.md"
    label_counts.run(CONFIG, *tables.values(), counted, page)
    first, second, whole = parquet.read(counted, LabelCounts)
    assert first == LabelCounts(
        source="s", right=3, wrong=4, none=1, records=6, correct=1, incorrect=3, disagree=1,
        training=4, perception=1, reasoning=2, other=1,
    )  # fmt: skip
    assert (second.right, second.training, whole.training) == (1, 1, 5)
    text = page.read_text(encoding="utf-8")
    assert "| s | this run | 3 | 4 | 1 | 6 | 1 | 3 | 1 | 4 | 1 | 2 | 25.0 |" in text
    assert "|  | published | 15,241 | 8,684 | 22 | 8,138 | 4,650 | 2,478 | 1,010 | 7,128 |" in text
    assert text.count("published |") == 1  # of t nothing was published, nor of both together


def test_without_a_judge_there_is_nothing_to_count_by(
    tables: dict[str, list[Path]], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="no verdicts"):
        label_counts.run(CONFIG, tables["rollouts"], tables["labels"], [], [],
                         tmp_path / "c.parquet", tmp_path / "c.md")  # fmt: skip


def test_the_published_figures_add_up() -> None:
    rows = published_counts()
    for kind, row in rows.items():
        assert row["correct"] + row["incorrect"] == row["training"], kind
        assert row["training"] + row["disagree"] == row["records"], kind
        assert row["perception"] + row["reasoning"] == row["incorrect"], kind
    whole = {name: sum(row[name] for row in rows.values()) for name in rows["raven"]}
    assert whole == {
        "right": 170_789, "wrong": 328_489, "none": 14_429, "records": 303_159,
        "correct": 65_691, "incorrect": 224_315, "disagree": 13_153, "training": 290_006,
        "perception": 192_930, "reasoning": 31_385,
    }  # fmt: skip
