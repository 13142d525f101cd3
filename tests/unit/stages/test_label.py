"""Labels take evidence by rollout and step, and refuse what is doubled or belongs elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.keyed_run import rollout
from vlprm.config.estimates import EstimateConfig
from vlprm.config.slices.label import LabelSlice
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.io.keys import keys_of
from vlprm.label_rules.consensus import Consensus
from vlprm.label_rules.monte_carlo import MonteCarlo
from vlprm.records import Rollout, StepEstimate, StepLabel, Verdict
from vlprm.stages import label

KEYS = {"dataset": "d", "shard": "000", "policy": "small"}
CONFIG = LabelSlice(
    rule=Consensus(name="consensus", threshold=0.0, after_first_error="stop"), min_graded=1
)
SOLUTIONS = [rollout(f"d/{q}", "small", 0) for q in range(3)]
ESTIMATES = [
    StepEstimate(rollout_id=item.id, step_index=i, n_correct=1, n_graded=2, n_failed=0)
    for item in SOLUTIONS
    for i in range(2)
]
VERDICTS = [
    Verdict(rollout_id=item.id, judge="j", first_error=at, status="ok", raw="")
    for at, item in enumerate(SOLUTIONS[:2])
]


def labelled(
    folder: Path,
    estimates: list[StepEstimate] = ESTIMATES,
    verdicts: list[Verdict] = VERDICTS,
    **keys: str,
) -> list[StepLabel]:
    files = {name: folder / f"{name}.parquet" for name in ("r", "e", "v", "l")}
    parquet.write(SOLUTIONS, files["r"], Rollout, keys=KEYS)
    parquet.write(estimates, files["e"], StepEstimate, keys=KEYS | keys)
    parquet.write(verdicts, files["v"], Verdict, keys=KEYS)
    label.run(
        CONFIG, files["r"], [files["e"]], [files["v"]], [], files["l"], folder / "dropped.csv"
    )
    assert keys_of(files["l"], StepLabel, **KEYS) == KEYS
    return parquet.read(files["l"], StepLabel)


def test_a_rollout_without_a_verdict_is_dropped_with_its_reason(tmp_path: Path) -> None:
    found = labelled(tmp_path, ESTIMATES[::-1], VERDICTS[::-1])
    assert [(item.rollout_id, item.label) for item in found] == [
        ("d/0/small#000", 0), ("d/1/small#000", 1), ("d/1/small#000", 0)
    ]  # fmt: skip
    assert "d/2/small#000,no verdict" in (tmp_path / "dropped.csv").read_text()


@pytest.mark.parametrize(
    ("keys", "counts", "labels"),
    [
        ({}, {0: (4, 4), 1: (4, 4)}, []),  # too few graded of 16, by their counts
        ({"draw": "sequential", "error": 0.05}, {0: (4, 4), 1: (0, 4)}, [1, 0]),
        ({"draw": "until_decided", "steps": "bisection"}, {0: (0, 16)}, [0]),
        ({"draw": "until_decided", "steps": "bisection"}, {1: (9, 9)}, [1, 1]),
    ],
)
def test_what_ended_the_draws_is_what_labels_say(
    tmp_path: Path, keys: dict[str, object], counts: dict[int, tuple[int, int]], labels: list[int]
) -> None:
    drawn = EstimateConfig.model_validate(
        {"continuations": 16, "failed_as": "missing", "min_graded": 8} | keys
    )
    rule = MonteCarlo(name="monte_carlo", threshold=0.5, after_first_error="stop")
    seen = [
        StepEstimate(
            rollout_id=SOLUTIONS[0].id, step_index=step, n_correct=right, n_graded=n, n_failed=0
        )
        for step, (right, n) in counts.items()
    ]
    files = {name: tmp_path / f"{name}.parquet" for name in ("r", "e", "l")}
    parquet.write(SOLUTIONS[:1], files["r"], Rollout, keys=KEYS)
    parquet.write(seen, files["e"], StepEstimate, keys=KEYS)
    told = drawn if drawn.guesses else None
    config = LabelSlice(rule=rule, min_graded=8, estimates=told)
    label.run(config, files["r"], [files["e"]], [], [], files["l"], tmp_path / "dropped.csv")
    assert [item.label for item in parquet.read(files["l"], StepLabel)] == labels


def test_what_the_panel_does_not_share_is_dropped(tmp_path: Path) -> None:
    said = {"a": (0, None, None), "b": (1, 0, None)}
    status = {"a": ("ok", "ok", "ok"), "b": ("ok", "unparsed", "ok")}
    tables = []
    for name, errors in said.items():
        tables.append(tmp_path / f"{name}.parquet")
        rows = [
            Verdict.model_validate(
                {
                    "rollout_id": item.id,
                    "judge": name,
                    "first_error": error,
                    "status": how,
                    "raw": "",
                }
            )
            for item, error, how in zip(SOLUTIONS, errors, status[name], strict=True)
        ]
        parquet.write(rows, tables[-1], Verdict, keys=KEYS | {"judge": name})
    verdicts = [
        Verdict(rollout_id=item.id, judge="j", first_error=at, status="ok", raw="")
        for item, at in zip(SOLUTIONS, (0, 1, None), strict=True)
    ]
    labelled(tmp_path, verdicts=verdicts)
    files = {name: tmp_path / f"{name}.parquet" for name in ("r", "e", "v", "l")}
    for keep in ("usable", "same_conclusion"):
        config = CONFIG.model_copy(update={"keep": keep, "panel": ("a", "b")})
        out = tmp_path / keep / "dropped.csv"
        # tables are found by their keys
        label.run(config, files["r"], [files["e"]], [files["v"]], tables[::-1],
                  out.with_name("l.parquet"), out)  # fmt: skip
        told = f"{SOLUTIONS[1].id},a judge of the panel gave no usable verdict"
        assert out.read_text().splitlines()[1:] == [told]
    rows = parquet.read(tables[0], Verdict)
    parquet.write(
        [rows[0].model_copy(update={"first_error": None}), *rows[1:]],
        tables[0], Verdict, keys=KEYS | {"judge": "a"},
    )  # fmt: skip
    config = CONFIG.model_copy(update={"keep": "same_conclusion", "panel": ("a", "b")})
    label.run(config, files["r"], [files["e"]], [files["v"]], tables, files["l"],
              tmp_path / "dropped.csv")  # fmt: skip
    first = (tmp_path / "dropped.csv").read_text().splitlines()[1]
    assert first == f"{SOLUTIONS[0].id},judges of the panel do not agree whether all is right"
    with pytest.raises(UserError, match=r"1 missing: .*judge b"):
        label.run(config, files["r"], [files["e"]], [files["v"]], tables[:1], files["l"],
                  tmp_path / "dropped.csv")  # fmt: skip


def test_evidence_that_is_doubled_or_of_elsewhere_is_refused(tmp_path: Path) -> None:
    stranger = ESTIMATES[0].model_copy(update={"rollout_id": "d/9/small#000"})
    with pytest.raises(UserError, match=r"e\.parquet: .* given twice: d/0/small#000/0"):
        labelled(tmp_path, [*ESTIMATES, ESTIMATES[0]])
    with pytest.raises(UserError, match="StepEstimate of ids that are not there: d/9/small#000"):
        labelled(tmp_path, [*ESTIMATES, stranger])
    with pytest.raises(UserError, match=r"v\.parquet: rows of Verdict given twice: d/1/small#000"):
        labelled(tmp_path, ESTIMATES, [*VERDICTS, VERDICTS[1]])
    with pytest.raises(UserError, match=r"e\.parquet: key policy is 'large', expected 'small'"):
        labelled(tmp_path, policy="large")
    assert not (tmp_path / "l.parquet").exists()
