"""Records of any number, made up in columns: as many as the paper's run, to measure memory with.

Sizes follow the published sample: steps of about 200 characters, 9 per solution, 6 solutions per
question, of which 5 in 9 end up as conversations. Images are noise of 48 x 48 pixels, 7 kB as
PNG (real ones are larger; a store that reads one at a time does not mind).
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from vlprm.io.images import ImageStore
from vlprm.io.parquet import schema_of
from vlprm.records import (
    Grade,
    PRMExample,
    Record,
    Rollout,
    Sample,
    Section,
    StepEstimate,
    StepLabel,
    StepScore,
    Verdict,
)

STEPS, ROLLOUTS, SHARD = 9, 6, 1000
PERCEPTION = 4
"""Steps of the first section."""
CANDIDATES = 16
POOL = 4096


class Texts:
    """A pool of sentences of about 200 characters; solutions draw their steps from it."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        syllables = ["ta", "ri", "mon", "vel", "os", "ku", "den", "ar", "il", "sho", "pra", "ne"]
        words = ["".join(self.rng.choice(syllables, 3)) for _ in range(2000)]
        drawn = self.rng.choice(words, (POOL, 26))
        numbers = self.rng.integers(0, 1000, POOL)
        self.pool = [f"{' '.join(row)} {n}." for row, n in zip(drawn, numbers, strict=True)]
        self.column = pa.array(self.pool)

    def draw(self, n: int) -> np.ndarray:
        """Step numbers of n solutions, (n, STEPS)."""
        return self.rng.integers(0, POOL, (n, STEPS))


def write(path: Path, record: type[Record], **columns: object) -> Path:
    """One shard from columns; what is not given is null."""
    schema = schema_of(record)
    rows = len(next(iter(columns.values())))
    arrays = [
        pa.nulls(rows, field.type)
        if columns.get(field.name) is None
        else pa.array(columns[field.name], field.type)
        if not isinstance(columns[field.name], pa.Array)
        else columns[field.name]
        for field in schema
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_arrays(arrays, schema=schema)
    pq.write_table(table, path, compression="zstd", compression_level=1)
    return path


def ids(dataset: str, first: int, n: int, each: int) -> list[str]:
    """``dataset/17/made-up#003`` of n questions from ``first`` on, ``each`` solutions each."""
    return [f"{dataset}/{q}/made-up#{k:03d}" for q in range(first, first + n) for k in range(each)]


def rollouts(path: Path, names: list[str], texts: Texts, drawn: np.ndarray) -> Path:
    """A shard of solutions."""
    n = len(names)
    steps = texts.column.take(pa.array(drawn.ravel()))
    lengths = np.array([len(text) for text in texts.pool])[drawn] + 2
    sections = [Section.PERCEPTION] * PERCEPTION + [Section.REASONING] * (STEPS - PERCEPTION)
    flat = pa.StructArray.from_arrays(
        [
            pa.array(np.tile(np.arange(STEPS), n)),
            pa.array(sections * n, pa.string()),
            steps,
            pa.array(np.cumsum(lengths, axis=1).ravel()),
        ],
        fields=list(schema_of(Rollout).field("steps").type.value_type),
    )
    joined = ["\n\n".join([texts.pool[i] for i in row]) for row in drawn]
    return write(
        path,
        Rollout,
        id=names,
        sample_id=[name.rpartition("/")[0] for name in names],
        text=joined,
        steps=pa.ListArray.from_arrays(pa.array(np.arange(n + 1) * STEPS, pa.int32()), flat),
        answer=[str(row[0] % 7) for row in drawn],
        finish_reason=["stop"] * n,
        prompt_tokens=np.full(n, 400),
        completion_tokens=np.full(n, 600),
        seed=np.arange(n),
    )


def samples(path: Path, dataset: str, first: int, n: int, images: list[dict[str, object]]) -> Path:
    """A shard of questions with one image each (none where ``images`` is empty)."""
    return write(
        path,
        Sample,
        id=[f"{dataset}/{q}" for q in range(first, first + n)],
        question=[f"How many of the {q} shapes in the picture are left?" * 3 for q in range(n)],
        images=[[ref] for ref in images] or [[]] * n,
        choices=[[]] * n,
        answer=["4"] * n,
        answer_type=["integer"] * n,
    )


def png(seed: int) -> Image.Image:
    """Noise, so that no PNG is small."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))


def per_step(names: list[str], steps: int = STEPS, first: int = 0) -> dict[str, object]:
    """The keys of a table with a row a step."""
    column = pa.array(names).take(pa.array(np.repeat(np.arange(len(names)), steps)))
    return {
        "rollout_id": column,
        "step_index": np.tile(np.arange(first, first + steps), len(names)),
    }


def sources(folder: Path, questions: int, seed: int = 1) -> None:
    """Samples, images, rollouts and labels of the training sources, in shards of 1,000.

    Five solutions of nine are labelled, four are dropped.
    """
    texts = Texts(seed)
    for shard, first in enumerate(range(0, questions, SHARD)):
        n = min(SHARD, questions - first)
        name = f"{shard:03d}.parquet"
        store = ImageStore()
        refs = [store.put(png(q)).model_dump() for q in range(first, first + n)]
        (folder / "images").mkdir(parents=True, exist_ok=True)
        store.save(folder / "images" / name)
        samples(folder / "samples" / name, "made/up", first, n, refs)
        solutions = ids("made/up", first, n, ROLLOUTS)
        rollouts(folder / "rollouts" / name, solutions, texts, texts.draw(len(solutions)))
        kept = [item for at, item in enumerate(solutions) if at % 9 < 5]
        label = np.ones((len(kept), STEPS), np.int64)
        label[::3, 6] = 0
        write(
            folder / "labels" / name,
            StepLabel,
            **per_step(kept),
            label=label.ravel(),
            rule=["consensus:judge_correct_mc_agrees"] * label.size,
        )


def estimates(path: Path, names: list[str], seed: int) -> Path:
    """Estimates of every step."""
    right = np.random.default_rng(seed).integers(1, 17, len(names) * STEPS)
    return write(
        path, StepEstimate, **per_step(names), n_correct=right,
        n_graded=np.full(len(right), 16), n_failed=np.zeros(len(right), np.int64),
    )  # fmt: skip


def verdicts(path: Path, names: list[str], texts: Texts) -> Path:
    """Verdicts with replies of 1,800 characters; a third names step 6."""
    raw = [" ".join(texts.pool[i] for i in row) for row in texts.draw(len(names))]
    error = [6 if at % 3 == 0 else None for at in range(len(names))]
    return write(
        path, Verdict, rollout_id=names, judge=["made-up"] * len(names),
        first_error=pa.array(error, pa.int64()), status=["ok"] * len(names), raw=raw,
    )  # fmt: skip


def benchmark(folder: Path, questions: int, shard: int = 500, seed: int = 2) -> int:
    """One benchmark with 16 candidates per question, as one policy and one PRM see it."""
    texts = Texts(seed)
    for number, first in enumerate(range(0, questions, shard)):
        n = min(shard, questions - first)
        name = f"{number:03d}.parquet"
        samples(folder / "samples" / name, "bench/one", first, n, [])
        names = ids("bench/one", first, n, CANDIDATES)
        rollouts(folder / "rollouts" / name, names, texts, texts.draw(len(names)))
        right = texts.rng.random(len(names)) < 0.5
        write(
            folder / "grades" / name, Grade, rollout_id=names, correct=right,
            method=["number"] * len(names),
        )  # fmt: skip
        verdicts(folder / "verdicts" / name, names, texts)
        for kind, steps in (("scores", STEPS + 1), ("ranks", 1)):
            rows = per_step(names, steps, first=-1)
            size = len(rows["step_index"])  # type: ignore[arg-type]
            write(
                folder / kind / name, StepScore, **rows,
                logit_plus=texts.rng.normal(1, 2, size), logit_minus=texts.rng.normal(0, 2, size),
                prompt_tokens=np.full(size, 900),
            )  # fmt: skip
    return number + 1


def published(folder: Path, n: int, seed: int = 3) -> None:
    """The three files of a published source with n rollouts, as the released pipeline has them."""
    texts = Texts(seed)
    folder.mkdir(parents=True, exist_ok=True)
    frame = " ".join(texts.pool[:12])  # what every prompt says
    judge = " ".join(texts.pool[:22]) + " <visual_reasoning_problem> <solution> "
    with (
        (folder / "rollouts.jsonl").open("w") as rows,
        (folder / "requests.jsonl").open("w") as asked,
        (folder / "results.json").open("w") as said,
    ):
        for at, row in enumerate(_drawn(texts, n)):
            question, steps = at // ROLLOUTS, [texts.pool[i] for i in row]
            text = _tagged(steps, "step") + "\n\n<correct_answer>\n$\\boxed{4}$\n</correct_answer>"
            prompt = f"{frame}\n<question>\nHow many are left of {question}?\n</question>\n{frame}"
            scores = [
                {"step": s, "score": 0.75, "num_mc_correct": 12, "num_mc_total": 16} for s in steps
            ]
            line = {
                "uid": f"{question:08d}", "question": prompt, "answer": "4", "response": text,
                "steps_with_score": scores,
            }  # fmt: skip
            rows.write(json.dumps(line) + "\n")
            if at % ROLLOUTS == 0:
                image = _image(question)
            content = [
                {
                    "type": "text",
                    "text": f"{judge}<visual_reasoning_problem>\n{prompt}\n"
                    f"</visual_reasoning_problem>\n<solution>\n{text}\n</solution>",
                },
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
            ]
            body = {"model": "made-up", "messages": [{"role": "user", "content": content}]}
            asked.write(json.dumps({"custom_id": f"r{at}", "body": body}) + "\n")
            reply = _tagged(steps, "analysis") + "\n<conclusion>\nCorrect\n</conclusion>"
            opening = "[\n" if at == 0 else ",\n"
            result = {"custom_id": f"r{at}", "verification_response": reply}
            said.write(opening + json.dumps(result, indent=2))
        said.write("\n]\n")


def _drawn(texts: Texts, n: int) -> Iterator[np.ndarray]:
    for start in range(0, n, SHARD):
        yield from texts.draw(min(SHARD, n - start))


def _image(seed: int) -> str:
    buffer = io.BytesIO()
    png(seed).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _tagged(steps: list[str], tag: str) -> str:
    parts = [
        "\n".join(f"<{tag}_{k}>\n{s}\n</{tag}_{k}>" for k, s in enumerate(part, start=1))
        for part in (steps[:PERCEPTION], steps[PERCEPTION:])
    ]
    return f"[Visual Elements]\n{parts[0]}\n\n[Reasoning]\n{parts[1]}"


def examples(path: Path, n: int, packs: list[Path], seed: int = 4) -> Path:
    """Conversations over the images of packs, in the row groups that the stage writes."""
    texts = Texts(seed)
    names = [name for pack in packs for name in pq.read_table(pack, columns=["sha256"])[0]]
    schema = schema_of(PRMExample)
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for start in range(0, n, 128):
            drawn = texts.draw(min(128, n - start))
            rows = [
                {
                    "rollout_id": f"made/up/{start + at}/made-up#000",
                    "images": [
                        {"sha256": str(names[(start + at) % len(names)]), "width": 48, "height": 48}
                    ],
                    "system": " ".join(texts.pool[:4]),
                    "question": texts.pool[0],
                    "steps": [texts.pool[i] for i in row],
                    "labels": [1] * STEPS,
                }
                for at, row in enumerate(drawn)
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    return path
