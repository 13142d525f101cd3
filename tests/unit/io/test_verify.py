"""The walk over the provenance graph: where a difference starts, and what is suspected."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from vlprm.errors import UserError
from vlprm.io.run_manifest import collect, expected_for, load, save
from vlprm.io.verify import Verification, verify
from vlprm.io.verify_report import page
from vlprm.provenance import Platform, RunManifest, StageRun

PLATFORM = Platform(
    machine="x86_64", processor="A", cpu="portable", threads=1, torch="2.13.0"
)  # fmt: skip


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def stage(name: str, inputs: dict[str, str], outputs: dict[str, str], **other: object) -> StageRun:
    facts: dict[str, object] = {
        "stage_version": 1, "config": "k", "code": sha("c0de"), "packages": {"numpy": "2.4.6"},
        "models": {}, "prompts": {}, "counts": {}, "container": None, "platform": PLATFORM.name,
    }  # fmt: skip
    return StageRun.model_validate(
        {
            "stage": name,
            "inputs": {path: sha(text) for path, text in inputs.items()},
            "outputs": {path: sha(text) for path, text in outputs.items()},
            **facts,
            **other,
        }
    )


def run(
    rollouts: str = "r", scores: str = "s", table: str = "t", config: int = 7, **other: object
) -> RunManifest:
    """samples -> rollouts -> scores -> table, with grades beside the scores."""
    return RunManifest(
        run="toy",
        platforms={PLATFORM.name: PLATFORM},
        configs={"k": {}, "seeded": {"seed": config, "ranking": {"draws": [1, 2]}}},
        stages={
            "prepare": stage("prepare", {"raw.jsonl": "raw"}, {"samples": "q"}),
            "rollout": stage(
                "rollout", {"samples": "q"}, {"rollouts": rollouts}, config="seeded", **other
            ),
            "grade": stage("grade", {"rollouts": rollouts}, {"grades": "g"}),
            "score": stage("score", {"rollouts": rollouts}, {"scores": scores}),
            "tables": stage("tables", {"scores": scores, "grades": "g"}, {"table": table}),
        },
    )


def compare(ours: RunManifest, expected: RunManifest | None = None) -> Verification:
    return verify(ours, expected or run(), None)


def outcomes(found: Verification) -> dict[str, str]:
    return {item.path: item.outcome for item in found.artefacts}


def test_equal_runs_are_the_same() -> None:
    found = compare(run())
    assert found.same
    assert set(outcomes(found).values()) == {"same"}
    assert found.first == found.stated == ()


def test_a_difference_is_traced_to_its_first_stage_and_its_configuration() -> None:
    found = compare(run(rollouts="x", scores="y", table="z", config=8))
    assert not found.same
    (origin,) = found.first
    assert (origin.stage, origin.files) == ("rollout", ("rollouts",))
    assert origin.causes == ("config seed: 7 -> 8",)
    assert found.later == 2
    assert outcomes(found)["grades"] == "same"


def test_two_origins_are_both_named() -> None:
    ours = run(table="z", scores="y")
    ours.stages["grade"].outputs["grades"] = sha("9")
    ours.stages["tables"].inputs["grades"] = sha("9")
    found = compare(ours)
    assert [origin.stage for origin in found.first] == ["grade", "score"]
    assert found.later == 1


def test_nothing_recorded_differs() -> None:
    (origin,) = compare(run(scores="y", table="z")).first
    assert origin.stage == "score"
    assert origin.causes == ()
    text = page(compare(run(scores="y")), run(), run(), [], full=False)
    assert "other hardware, or not deterministic" in text


@pytest.mark.parametrize(
    ("fact", "cause"),
    [
        ({"packages": {"numpy": "2.4.7"}}, "packages numpy: 2.4.6 -> 2.4.7"),
        ({"packages": {}}, "packages numpy: 2.4.6 -> none"),
        ({"stage_version": 2}, "stage version: 1 -> 2"),
        ({"prompts": {"p": sha("ab")}}, f"prompts p: none -> {sha('ab')[:12]}"),
    ],
)
def test_a_declared_fact_is_a_difference_even_where_the_bytes_agree(
    fact: dict[str, object], cause: str
) -> None:
    found = compare(run(**fact))
    assert set(outcomes(found).values()) == {"same"}
    assert not found.same
    (origin,) = found.stated
    assert (origin.stage, origin.causes) == ("rollout", (cause,))
    (first,) = compare(run(rollouts="x", scores="y", table="z", **fact)).first
    assert cause in first.causes


@pytest.mark.parametrize("fact", [{"code": sha("abc")}, {"container": "cpu.sif"}])
def test_other_code_or_image_with_the_same_bytes_is_told_and_is_the_same(
    fact: dict[str, object],
) -> None:
    found = compare(run(**fact))
    assert found.same
    assert [origin.stage for origin in found.stated] == ["rollout"]
    assert "made otherwise" in page(found, run(), run(), [], full=False)


def test_an_input_from_outside_the_run_is_a_cause() -> None:
    ours = run()
    ours.stages["prepare"].inputs["raw.jsonl"] = sha("other")
    ours.stages["prepare"].outputs["samples"] = sha("p")
    ours.stages["rollout"].inputs["samples"] = sha("p")
    (origin,) = compare(ours).first
    assert origin.stage == "prepare"
    assert origin.causes[0].startswith("input raw.jsonl: ")


def test_missing_and_extra_artefacts() -> None:
    ours = run()
    del ours.stages["tables"]
    found = compare(ours)
    assert outcomes(found)["table"] == "missing"
    assert found.first[0].causes == ("the stage did not run here",)
    more = run()
    more.stages["figures"] = stage("figures", {"scores": "s"}, {"plot": "f"})
    found = compare(more)
    assert outcomes(found)["plot"] == "extra"
    assert not found.same


def test_a_file_changed_after_the_run_is_found_on_disk(tmp_path: Path) -> None:
    content = {"samples": "q", "rollouts": "r", "grades": "g", "scores": "s", "table": "t"}
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    assert verify(run(), run(), tmp_path).same
    (tmp_path / "rollouts").write_text("ruined")
    (tmp_path / "table").unlink()
    found = verify(run(), run(), tmp_path)
    told = {path: outcome for path, outcome in outcomes(found).items() if outcome != "same"}
    assert told == {"rollouts": "differs", "table": "missing"}
    causes = {origin.stage: origin.causes for origin in found.first}
    assert causes == {
        "rollout": ("file changed after the stage wrote it: rollouts",),
        "tables": ("file gone after the stage wrote it: table",),
    }
    assert found.later == 0, "stages that read the expected content do not follow a later change"


def test_manifest_survives_the_disk_and_is_chosen_by_platform(tmp_path: Path) -> None:
    ours = run()
    save(ours, tmp_path / f"{ours.platform}.json")
    other = ours.model_copy(
        update={"platforms": {"b": PLATFORM.model_copy(update={"cpu": "AuthenticAMD-25-avx512"})}}
    )
    save(other, tmp_path / "a.json")
    assert load(tmp_path / f"{ours.platform}.json") == ours
    chosen, classes = expected_for(ours, tmp_path)
    assert chosen == ours
    assert len(classes) == 2
    chosen, classes = expected_for(other.model_copy(update={"platforms": {}}), tmp_path)
    assert chosen == other
    text = page(compare(other), other, ours, classes, full=True)
    assert "NO EXPECTED RUN" in text


def test_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished stage"):
        collect(tmp_path)
    with pytest.raises(UserError, match="no expected manifest"):
        expected_for(run(), tmp_path)
    with pytest.raises(UserError, match="no such file"):
        load(tmp_path / "manifest.json")
    (tmp_path / "manifest.json").write_text('{"run": "x"}')
    with pytest.raises(UserError, match="not a RunManifest of this version: platforms"):
        load(tmp_path / "manifest.json")
