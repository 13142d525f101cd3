"""Stages that read many tables find them by their keys: no order, no gap, no copy, no stranger."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.unit import keyed_run
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.io.keys import keys_of
from vlprm.records import Metric, Rollout, Selection
from vlprm.stages import cost_pages, costs, examples, figures, metrics, select, step_metrics
from vlprm.stages import tables as pages

Lists = dict[str, list[Path]]


def _select(policy: str, benchmark: str = "bench") -> Callable[[Lists, Path], None]:
    def run(of: Lists, out: Path) -> None:
        kinds = [of[kind] for kind in ("samples", "rollouts", "scores", "ranks")]
        select.run(keyed_run.select_slice(policy, benchmark), *kinds, out / f"{policy}.parquet")

    return run


def _metrics(of: Lists, out: Path, benchmark: str = "bench") -> None:
    kinds = ("samples", "grades", "selections", "searched", "searched_grades")
    lists = [of[kind] for kind in kinds]
    metrics.run(keyed_run.metrics_slice(benchmark), *lists, out / "accuracy.parquet")


def _step_metrics(of: Lists, out: Path, benchmark: str = "bench") -> None:
    lists = [of[kind] for kind in ("rollouts", "verdicts", "scores")]
    outputs = [out / f"{name}.parquet" for name in ("steps", "calibration", "confusion")]
    step_metrics.run(keyed_run.metrics_slice(benchmark), *lists, *outputs)


def _costs(of: Lists, out: Path, benchmark: str = "bench") -> None:
    lists = [of[kind] for kind in ("rollouts", "scores", "ranks", "search_costs")]
    costs.run(keyed_run.costs_slice(benchmark), *lists, out / "costs.parquet")


def _cost_pages(of: Lists, out: Path) -> None:
    outputs = [out / f"costs.{end}" for end in ("md", "svg", "png")]
    cost_pages.run(keyed_run.tables_slice(), of["accuracy"], of["costs"], *outputs)


def _examples(of: Lists, out: Path) -> None:
    lists = [of[kind] for kind in ("source_samples", "source_rollouts", "labels")]
    config = keyed_run.examples_slice()
    examples.run(config, *lists, [], [], out / "examples.parquet", out / "dropped.csv")


def _tables(of: Lists, out: Path) -> None:
    lists = [of[kind] for kind in ("accuracy", "steps", "source_rollouts", "labels")]
    pages.run(keyed_run.tables_slice(), *lists, out)


def _figures(of: Lists, out: Path) -> None:
    lists = [of[kind] for kind in ("accuracy", "calibration", "confusion")]
    figures.run(keyed_run.tables_slice(), *lists, of["statistics"][0], out)


OF_POLICY = ("rollouts", "scores", "ranks")
STAGES: dict[str, tuple[Callable[[Lists, Path], None], tuple[str, ...]]] = {
    "select": (_select("large"), ("samples", *OF_POLICY)),
    "metrics": (_metrics, ("samples", "grades", "selections", "searched", "searched_grades")),
    "step_metrics": (_step_metrics, ("rollouts", "verdicts", "scores")),
    "costs": (_costs, ("rollouts", "scores", "ranks", "search_costs")),
    "cost_pages": (_cost_pages, ("accuracy", "costs")),
    "examples": (_examples, ("source_samples", "source_rollouts", "labels")),
    "tables": (_tables, ("accuracy", "steps", "source_rollouts", "labels")),
    "figures": (_figures, ("accuracy", "calibration", "confusion")),
}
CASES = [(name, kind) for name, (_, kinds) in STAGES.items() for kind in kinds]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    """All tables of the run, those of the stages under test too."""
    run = keyed_run.made(tmp_path_factory.mktemp("run"))
    files = run.files
    for benchmark in keyed_run.BENCHMARKS:
        out = run.folder / "out" / benchmark
        for policy in keyed_run.POLICIES:
            _select(policy, benchmark)(_of(files, benchmark, policy), out)
            files.setdefault("selections", []).append(out / f"{policy}.parquet")
        _metrics(_of(files, benchmark), out, benchmark)
        _step_metrics(_of(files, benchmark), out, benchmark)
        _costs(_of(files, benchmark), out, benchmark)
        for name in ("accuracy", "steps", "calibration", "confusion", "costs"):
            files.setdefault(name, []).append(out / f"{name}.parquet")
    _tables(files, run.folder / "out")
    files["statistics"] = [run.folder / "out" / "labels.parquet"]
    return files


def _of(files: Lists, benchmark: str, policy: str = "") -> Lists:
    """The lists that a stage of one benchmark, or of one of its policies, is given."""
    kinds = (*STAGES["metrics"][1], *STAGES["step_metrics"][1], *STAGES["costs"][1])
    own = {
        kind: [
            path
            for path in files.get(kind, [])
            if benchmark in (path.parent.name, path.stem.split("-")[0])
            and (kind not in OF_POLICY or policy in path.stem)
        ]
        for kind in kinds
    }
    return files | own


def _given(name: str, files: Lists) -> Lists:
    if name in ("select", "metrics", "step_metrics", "costs"):
        return _of(files, "bench", "large" if name == "select" else "")
    return dict(files)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if not path.name.endswith(".timing.json")
    }


@pytest.mark.parametrize("name", STAGES)
def test_the_order_of_the_files_says_nothing(
    whole: Lists, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stage in (figures, cost_pages):  # the SVG says enough
        monkeypatch.setattr(stage, "png", lambda figure, dpi: b"")
    run, kinds = STAGES[name]
    given = _given(name, whole)
    run(given, tmp_path / "first")
    others = (lambda paths: paths[::-1], lambda paths: paths[1:] + paths[:1])
    for turn, other in enumerate(others[: 1 if name == "figures" else 2]):
        mixed = given | {kind: list(other(given[kind])) for kind in kinds}
        run(mixed, tmp_path / str(turn))
        assert _bytes(tmp_path / str(turn)) == _bytes(tmp_path / "first")


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_missing_doubled_or_foreign_file_is_named(
    whole: Lists, tmp_path: Path, name: str, kind: str
) -> None:
    run, _ = STAGES[name]
    given = _given(name, whole)
    files, out = given[kind], tmp_path / "out"
    last = pq.read_table(files[-1])
    keys = json.loads(last.schema.metadata[b"vlprm"])
    del keys["table"]
    with pytest.raises(UserError, match="1 missing: ") as raised:
        run(given | {kind: files[:-1]}, out)
    assert all(f"{key} {value}" in raised.value.what for key, value in keys.items())
    copy = tmp_path / "copy.parquet"
    pq.write_table(last, copy)
    with pytest.raises(UserError, match=r"a second table of .*") as raised:
        run(given | {kind: [*files, copy]}, out)
    assert raised.value.where == f"{copy} and {files[-1]}"
    for key in keys:
        metadata = last.schema.metadata[b"vlprm"].replace(
            f'"{key}": "{keys[key]}"'.encode(), f'"{key}": "elsewhere"'.encode()
        )
        pq.write_table(last.replace_schema_metadata({b"vlprm": metadata}), copy)
        for mixed in ([*files, copy], [*files[:-1], copy]):
            with pytest.raises(UserError, match=f"key {key} is 'elsewhere', expected '") as raised:
                run(given | {kind: mixed}, out)
            assert raised.value.where == str(copy)
    pq.write_table(last.replace_schema_metadata(), copy)
    with pytest.raises(UserError, match="no keys: results of an older layout"):
        run(given | {kind: [*files[:-1], copy]}, out)
    assert not out.exists() or not list(out.iterdir())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("select", kind) for kind in ("rollouts", "scores", "ranks")),
        *(("metrics", kind) for kind in ("grades", "selections", "searched", "searched_grades")),
        *(("costs", kind) for kind in ("scores", "ranks", "search_costs")),
        *(("step_metrics", kind) for kind in ("verdicts", "scores")),
        *((name, "labels") for name in ("examples", "tables")),
        ("examples", "source_rollouts"),
    ],
)
def test_missing_doubled_and_foreign_rows_are_named(
    whole: Lists, tmp_path: Path, name: str, kind: str
) -> None:
    run, _ = STAGES[name]
    given = _given(name, whole)
    files, copy = given[kind], tmp_path / "copy.parquet"
    last = pq.read_table(files[-1])
    keys = ("sample_id",) if kind == "selections" else ("id", "rollout_id", "sample_id")
    own = next(name for name in keys if name in last.column_names)
    first = last[own][0].as_py()

    def refused(rows: list[dict[str, object]], said: str) -> None:
        pq.write_table(last.from_pylist(rows, last.schema), copy)
        with pytest.raises(UserError, match=said):
            run(given | {kind: [*files[:-1], copy]}, tmp_path / "out")
        assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())

    rows = last.to_pylist()
    if kind not in ("labels", "source_rollouts"):  # some rollouts have no labels
        refused([row for row in rows if row[own] != first], "(ids without|that are not there)")
    if kind != "selections":
        refused([*rows, rows[0]], "given twice")
    strange = {own: "x/large#000"} | ({"sample_id": "x"} if own == "id" else {})
    refused([*rows, rows[0] | strange], "that are not there: x")


def test_tables_say_what_they_are(whole: Lists) -> None:
    assert keys_of(whole["selections"][0], Selection, "policy", dataset="bench") == {
        "dataset": "bench",
        "policy": "small",
    }
    assert keys_of(whole["steps"][0], Metric, "kind", dataset="bench")["kind"] == "steps"
    found = parquet.read(whole["accuracy"][0], Metric)
    searched = [
        item for item in found if item.strategy == "guided_search" and item.name == "accuracy"
    ]
    assert [(item.policy, item.prm, item.n) for item in searched] == [
        (policy, prm, 8) for policy in keyed_run.POLICIES for prm in keyed_run.PRMS
    ]
    ids = [item.id for kind in ("rollouts", "searched", "source_rollouts")
           for path in whole[kind] for item in parquet.read(path, Rollout)]  # fmt: skip
    assert len(set(ids)) == len(ids)
