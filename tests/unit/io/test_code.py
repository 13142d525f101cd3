"""A stage's code version: what it reaches counts, what it does not reach does not."""

from __future__ import annotations

from vlprm.io.code import PACKAGE, code_sha256, files_of


def reached(stage: str) -> set[str]:
    return {path.relative_to(PACKAGE).as_posix() for path in files_of(f"vlprm.stages.{stage}")}


def test_imports_inside_functions_and_data_files_are_reached() -> None:
    rollout = reached("rollout")
    assert {"stages/rollout.py", "engines/hf_policy.py", "families/qwen25vl/model.py"} <= rollout
    assert "prompts/policy_boxed_v1.txt" in rollout


def test_unrelated_parts_are_not() -> None:
    assert not {path for path in reached("rollout") if path.startswith(("tables/", "metrics/"))}
    assert not {path for path in reached("label") if path.startswith(("engines/", "training/"))}
    assert "families/qwen25vl/resize.py" in reached("label"), "configurations name families"
    assert not reached("label") & {"families/architectures.py", "families/qwen25vl/model.py"}
    assert "stages/__init__.py" not in reached("rollout"), "versions are recorded by themselves"


def test_digest_is_a_function_of_the_stage() -> None:
    assert code_sha256("label") == code_sha256("label") != code_sha256("tables")
