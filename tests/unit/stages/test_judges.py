"""Judges side by side, from tables of verdicts to the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.keyed_run import rollout
from vlprm.config.slices.judge import JudgesSlice
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.metrics.judge_agreement import JudgePair
from vlprm.records import Rollout, Verdict
from vlprm.stages import judges

CONFIG = JudgesSlice(
    sources=(("s", 2), ("t", 1)), policy="small", first="main", panel=("a", "b"), keep="usable",
    confidence=0.95,
)  # fmt: skip
PLACES = (("s", "000"), ("s", "001"), ("t", "000"))
ERRORS = {"main": (None, 0, 1), "a": (None, 1, 1), "b": (0, 0, None)}


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {"rollouts": [], "main": [], "a": [], "b": []}
    for dataset, shard in PLACES:
        keys = {"dataset": dataset, "shard": shard, "policy": "small"}
        solved = [rollout(f"{dataset}/{shard}/{k}", "small", 0) for k in range(3)]
        path = tmp_path / dataset / shard
        found["rollouts"].append(path / "r.parquet")
        parquet.write(solved, found["rollouts"][-1], Rollout, keys=keys)
        for judge, errors in ERRORS.items():
            said = [
                Verdict(rollout_id=item.id, judge=judge, first_error=at, status="ok", raw="")
                for item, at in zip(solved, errors, strict=True)
            ]
            own = keys if judge == "main" else keys | {"judge": judge}
            found[judge].append(path / f"{judge}.parquet")
            parquet.write(said, found[judge][-1], Verdict, keys=own)
    return found


def test_tables_and_page(tables: dict[str, list[Path]], tmp_path: Path) -> None:
    pairs, page = tmp_path / "judges.parquet", tmp_path / "judges.md"
    panel = [*tables["b"], *tables["a"]]
    judges.run(CONFIG, tables["rollouts"], tables["main"][::-1], panel, pairs, page)
    rows = parquet.read(pairs, JudgePair)
    assert [(row.source, row.first, row.second) for row in rows] == [
        (source, *two)
        for source in ("s", "t", "all")
        for two in (("main", "a"), ("main", "b"), ("a", "b"))
    ]
    whole = {(row.first, row.second): row for row in rows if row.source == "all"}
    assert whole["main", "a"].agreement == 1.0
    assert (whole["main", "a"].same_step, whole["main", "a"].later) == (3, 3)
    assert whole["main", "b"].both == 9
    assert whole["main", "b"].same_conclusion == 3
    assert whole["main", "b"].kappa == pytest.approx(-0.5)
    text = page.read_text(encoding="utf-8")
    assert "In force: `keep: usable`." in text
    assert "| all | 9 | 9 | 3 | 0 |" in text
    assert "| t | b | 1 | " in text


def test_a_judge_without_a_table_is_told(tables: dict[str, list[Path]], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"3 missing: .*judge b"):
        judges.run(CONFIG, tables["rollouts"], tables["main"], tables["a"],
                   tmp_path / "judges.parquet", tmp_path / "judges.md")  # fmt: skip
    assert not (tmp_path / "judges.parquet").exists()
