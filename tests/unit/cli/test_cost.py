"""``vlprm cost``: seconds of the jobs, shared out by tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.keyed_run import rollout
from vlprm.cli.cost import cost
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.provenance import Platform, Timing
from vlprm.records import ACCURACY, POLICY_TOKENS, READ_TOKENS, Metric, Rollout, StepScore

MACHINE = Platform(machine="x86_64", processor="Fast", cpu="portable", threads=1, torch=None)


def metric(name: str, value: float, prm: str | None, strategy: str, n: int) -> Metric:
    return Metric(
        benchmark="b", policy="p", prm=prm, strategy=strategy, aggregation=None, n=n, name=name,
        value=value, low=None, high=None, delta=None, delta_low=None, delta_high=None,
        n_samples=2, n_ungraded=0,
    )  # fmt: skip


def timed(output: Path, seconds: float) -> None:
    record = Timing(
        stage="s", started="2026-01-01T00:00:00Z", finished="2026-01-01T00:00:01Z", host="h",
        commit="c", dirty=False, container=None, code="0" * 64, platform=MACHINE,
            work_seconds=seconds,
    )  # fmt: skip
    output.with_name(f"{output.name}.timing.json").write_text(record.model_dump_json())


def test_seconds_are_shared_out_by_tokens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(None, "pass@1", 1, 1.0, 0.0), ("one", "best_of_n_orm", 2, 2.0, 20.0),
            ("one", "beam", 4, 9.0, 90.0)]  # fmt: skip
    accuracies = [metric(ACCURACY, 0.5, *row[:3]) for row in rows]
    costs = [
        metric(name, row[at], *row[:3])
        for row in rows for name, at in ((POLICY_TOKENS, 3), (READ_TOKENS, 4))
    ]  # fmt: skip
    for name, found in (("accuracy", accuracies), ("costs", costs)):
        parquet.write(found, tmp_path / f"metrics/b/{name}.parquet", Metric)
    solved = [rollout(f"b/{q}", "p", k) for q in range(2) for k in range(2)]  # of one token each
    drawn, scored = (tmp_path / f"{kind}/p/b/000.parquet" for kind in ("rollouts", "scores/one"))
    parquet.write(solved, drawn, Rollout)
    read = [
        StepScore(
            rollout_id=item.id, step_index=at, logit_plus=0, logit_minus=0, prompt_tokens=10
        )
        for item in solved for at in (-1, 0)
    ]  # fmt: skip
    parquet.write(read, scored, StepScore)
    searched = tmp_path / "searches/beam/one/p/b/000.rollouts.parquet"
    searched.parent.mkdir(parents=True)
    searched.touch()
    for output, seconds in ((drawn, 8.0), (scored, 4.0), (searched, 6.0)):
        timed(output, seconds)
    cost(tmp_path)
    said = capsys.readouterr().out.splitlines()
    assert said[1:4] == [
        "b,p,,pass@1,1,50.0,1,0,2",
        "b,p,one,best_of_n_orm,2,50.0,2,20,5",  # 2 x 2 s drawn, 20 of 80 tokens in 4 s read
        "b,p,one,beam,4,50.0,9,90,3",
    ]
    assert said[4].startswith("# on Fast (x86_64_portable")


def test_a_folder_without_costs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no costs"):
        cost(tmp_path)
