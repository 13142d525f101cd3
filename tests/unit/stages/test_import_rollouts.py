"""A published run as a stream: what joins becomes records, whatever does not is listed."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vlprm.config.slices.import_rollouts import ImportRolloutsSlice
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.io.images import ImageStore
from vlprm.records import Rollout, Sample, StepEstimate, Verdict
from vlprm.stages import import_rollouts

KINDS = ("samples", "images", "rollouts", "estimates", "verdicts")


def solution(word: str) -> str:
    return (
        f"[Visual Elements]\n<step_1>\nA {word}.\n</step_1>\n\n[Reasoning]\n<step_1>\nSo {word}.\n"
        "</step_1>\n\n<correct_answer>\n$\\boxed{4}$\n</correct_answer>"
    )


def prompt(question: str) -> str:
    return f"Task.\n<question>\nHow many, {question}?\n</question>\nEnd."


def row(question: str, word: str, right: int = 12) -> dict[str, Any]:
    steps = [
        {"step": text, "score": right / 16, "num_mc_correct": right, "num_mc_total": 16}
        for text in (f"A {word}.", f"So {word}.")
    ]
    return {
        "uid": question, "question": prompt(question), "answer": "4", "response": solution(word),
        "steps_with_score": steps,
    }  # fmt: skip


def request(name: str, question: str, word: str, image: bytes | None) -> dict[str, Any]:
    text = (
        "<visual_reasoning_problem> <solution> <visual_reasoning_problem>\n"
        f"{prompt(question)}\n</visual_reasoning_problem>\n<solution>\n{solution(word)}\n</solution>"
    )
    content: list[dict[str, Any]] = [{"type": "text", "text": text}]
    if image is not None:
        url = f"data:image/png;base64,{base64.b64encode(image).decode()}"
        content.append({"type": "image_url", "image_url": {"url": url}})
    return {
        "custom_id": name,
        "body": {"model": "o", "messages": [{"role": "user", "content": content}]},
    }


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (level, 0, 0)).save(buffer, format="PNG")
    return buffer.getvalue()


ROWS = [
    row("a", "cube"),
    row("a", "ball", right=0),
    row("b", "cube"),  # the words of another question's solution
    row("b", "cube"),  # the same once more
    row("c", "cone"),
    {"uid": "c", "question": prompt("c"), "answer": "4", "response": "no sections"},
    row("d", "disc"),
]
REQUESTS = [
    request("r0", "a", "cube", png(1)),
    request("r1", "a", "ball", png(2)),  # the first request's image counts
    request("r2", "b", "cube", png(3)),
    request("r3", "c", "cone", None),
    request("r4", "b", "star", png(4)),
    request("r0", "d", "disc", png(5)),
]
SAID = "[Visual Elements]\n<analysis_1>\nno\n</analysis_1>\n<conclusion>\nIncorrect\n</conclusion>"
RESULTS = [
    {"custom_id": "r2", "verification_response": SAID},
    {"custom_id": "r0", "verification_response": "<conclusion>Correct</conclusion>"},
    {"custom_id": "r0", "verification_response": SAID},
    {"custom_id": "r9", "verification_response": SAID},
]


def run(
    folder: Path,
    n: int = 9,
    results: str | None = None,
    requests: list[dict[str, Any]] = REQUESTS,
) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    inputs = (folder / "rollouts.jsonl", folder / "requests.jsonl", folder / "results.json")
    for path, rows in zip(inputs, (ROWS, requests), strict=False):
        path.write_text("".join(json.dumps(item) + "\n" for item in rows))
    inputs[2].write_text(json.dumps(RESULTS, indent=1) if results is None else results)
    files = {kind: folder / "out" / f"{kind}.parquet" for kind in KINDS}
    config = ImportRolloutsSlice(dataset="p", shard="000", policy="small", kind="clevr", n=n)
    import_rollouts.run(config, *inputs, *files.values())
    return files


def test_records(tmp_path: Path) -> None:
    files = run(tmp_path)
    samples = parquet.read(files["samples"], Sample)
    assert [item.id for item in samples] == ["p/a", "p/b"]
    store = ImageStore(files["images"])
    assert [store.open(item.images[0]).getpixel((0, 0)) for item in samples] == [
        (1, 0, 0), (3, 0, 0),
    ]  # fmt: skip
    rollouts = parquet.read(files["rollouts"], Rollout)
    assert [item.id for item in rollouts] == ["p/a/small#000", "p/a/small#001", "p/b/small#000"]
    assert [(step.text, step.section.value) for step in rollouts[1].steps] == [
        ("A ball.", "perception"), ("So ball.", "reasoning"),
    ]  # fmt: skip
    found = parquet.read(files["estimates"], StepEstimate)
    assert [(e.rollout_id, e.step_index, e.n_correct, e.n_graded) for e in found] == [
        (name, index, right, 16)
        for name, right in (("p/a/small#000", 12), ("p/a/small#001", 0), ("p/b/small#000", 12))
        for index in (0, 1)
    ]
    verdicts = parquet.read(files["verdicts"], Verdict)
    assert [(v.rollout_id, v.first_error, v.status, v.judge) for v in verdicts] == [
        ("p/b/small#000", 0, "ok", "o"), ("p/a/small#000", None, "ok", "o"),
    ]  # fmt: skip


def test_whatever_cannot_be_used_is_listed_in_the_order_of_its_files(tmp_path: Path) -> None:
    run(tmp_path)
    with (tmp_path / "out" / "rollouts.unusable.csv").open(newline="") as file:
        listed = list(csv.reader(file))[1:]
    lines = tmp_path / "rollouts.jsonl"
    assert listed == [
        [f"{lines}:4", "repeats line 3"],
        [f"{lines}:6", listed[1][1]],
        ["request r4", "no rollout has this solution"],
        ["request r0", "a second request under this id"],
        ["result r0", "a second result for this id"],
        ["result r9", "no usable request with this id"],
        ["request r1", "no result"],
        ["request r3", "no result"],
        ["p/d/small#000", "never sent to the judge"],
        ["p/c", "no judge request carries its image"],
        ["p/d", "no judge request carries its image"],
    ]
    assert listed[1][1].startswith("solution: ")


def test_a_damaged_image_is_listed_and_another_request_may_carry_it(tmp_path: Path) -> None:
    damaged = request("r0", "a", "cube", png(1)[:40])
    files = run(tmp_path, requests=[damaged, *REQUESTS[1:5]])
    (first, _) = parquet.read(files["samples"], Sample)
    assert ImageStore(files["images"]).open(first.images[0]).getpixel((0, 0)) == (2, 0, 0)
    listed = (tmp_path / "out" / "rollouts.unusable.csv").read_text()
    assert "image of p/a: unreadable image" in listed


def test_first_questions_only(tmp_path: Path) -> None:
    files = run(tmp_path, n=1)
    assert [item.id for item in parquet.read(files["samples"], Sample)] == ["p/a"]
    assert {item.sample_id for item in parquet.read(files["rollouts"], Rollout)} == {"p/a"}
    assert [v.rollout_id for v in parquet.read(files["verdicts"], Verdict)] == ["p/a/small#000"]


def test_cut_results_leave_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"results\.json:\d+: malformed JSON"):
        run(tmp_path, results=json.dumps(RESULTS, indent=1)[:-40])
    assert list((tmp_path / "out").iterdir()) == []
