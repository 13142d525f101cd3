"""Reported inputs that concern images, rows and the plan of downloads (``reported_inputs``).

The cases are told in words; each is rebuilt as a data set and sent through the prepare stage.
"""

from __future__ import annotations

import base64
import io
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from vlprm.cli import app
from vlprm.config.data import FileData
from vlprm.config.slices.prepare import PrepareSlice
from vlprm.errors import UserError
from vlprm.io import parquet
from vlprm.io.images import ImageStore
from vlprm.records import Sample
from vlprm.stages import prepare

import damaged
from report import ROOT

Case = dict[str, str]
Seen = tuple[list[Sample], list[Image.Image]]


def _png(image: Image.Image, name: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


PNG = _png(Image.new("RGB", (32, 24), "teal"))


def _prepared(kind: str, name: str, content: bytes, n: int = 1, picture: bytes = PNG) -> Seen:
    """Questions and images of a file of ``n`` rows; ``a.png`` lies beside it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "a.png").write_bytes(picture)
        (folder / name).write_bytes(content)
        described: dict[str, Any] = {"kind": kind, "path": str(folder / name), "n": n}
        data = FileData(**described, shard_size=n)
        config = PrepareSlice(
            dataset="d", shard="000", data=data, start=0, stop=n, rows_sha256=None
        )
        prepare.run(config, folder / "s.parquet", folder / "i.parquet")
        samples = parquet.read(folder / "s.parquet", Sample)
        store = ImageStore(folder / "i.parquet")
        return samples, [store.open(ref) for sample in samples for ref in sample.images]


def _row(kind: str, **changed: Any) -> tuple[Sample, Image.Image]:
    """The question of one row of JSON lines, and its image."""
    picture = changed.pop("picture", PNG)
    row = {**damaged.rows(kind, PNG)[0], "decoded_image": None, **changed}
    samples, images = _prepared(kind, "rows.jsonl", json.dumps(row).encode(), picture=picture)
    return samples[0], images[0]


def _refused(error: UserError) -> bool:
    """Is it one line with file and row, and a cure?"""
    lines = str(error).splitlines()
    return len(lines) == 2 and bool(re.search(r"rows\.\w+:\d+", lines[0])) and bool(error.cure)


def image(case: Case) -> tuple[bool, str]:
    """Grey levels, orientation, size."""
    if "16-bit" in case["input"]:
        ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(8, 0)
        _, found = _row("vqav2", picture=_png(Image.fromarray(ramp)))
        levels = len(np.unique(np.asarray(found)[:, :, 0]))
        return levels == 64, f"{levels} grey levels"
    if "EXIF" in case["input"]:
        exif = Image.Exif()
        exif[0x0112] = 6
        turned = Image.new("L", (80, 40), 255)
        turned.paste(0, (0, 0, 40, 40))  # dark on the left of the file is dark above, upright
        _, found = _row("vqav2", picture=_png(turned, "JPEG", exif=exif))
        above, below = found.resize((1, 2)).convert("L").tobytes()
        return found.size == (40, 80) and above < below, f"{found.size}, {above} over {below}"
    if "20000x10000" in case["input"]:
        try:
            _, found = _row("vqav2", picture=_png(Image.new("1", (20000, 10000))))
        except UserError as error:
            return _refused(error), str(error)
        return found.size == (20000, 10000), f"{found.size}"
    return False, "no check of this image"


def narrow_image(case: Case) -> tuple[bool, str]:
    """Refused when it is prepared, naming file, row and question."""
    width, height = map(int, re.findall(r"(\d+)x(\d+)", case["input"])[0])
    try:
        _row("vqav2", picture=_png(Image.new("RGB", (width, height))))
    except UserError as error:
        return _refused(error) and "question d/0" in str(error), str(error)
    return False, "accepted"


def list_as_text(case: Case) -> tuple[bool, str]:
    """Options stored as the text of a list."""
    kind = case["input"].split()[0].lower()
    name = "choices" if kind == "mathvista" else "options"
    stored = re.findall(r'"(\[.*?\])"', case["input"])[0]
    answer = re.findall(r'answer "(\w+)"', case["input"])[0]
    count = stored.count(",") + 1
    found, _ = _row(kind, **{name: stored}, answer=answer)
    good = found.answer == answer and len(found.choices) == count
    return good, f"{found.answer} of {found.choices}"


def null_option(case: Case) -> tuple[bool, str]:
    """A null behind the options is none."""
    stored = json.loads(re.findall(r"\[.*?\]", case["input"])[0])
    found, _ = _row("mathvista", choices=stored, answer=case["input"].split()[-1])
    kept = tuple(item for item in stored if item is not None)
    right = "ABC"[kept.index(case["input"].split()[-1])]
    return (found.choices, found.answer) == (kept, right), f"{found.answer} of {found.choices}"


def raw_traceback(case: Case) -> tuple[bool, str]:
    """A value or a column that raised where no one expected it."""
    told = case["input"]
    try:
        if told.startswith("MMMU TSV"):
            return _table("BOM" in told)
        if "precision" in told:
            stored = re.findall(r'"(.*)"', told)[0]
            free = {"question_type": "free_form", "answer_type": "float", "answer": "2.5"}
            found, _ = _row("mathvista", precision=stored, **free)
            return found.precision == int(float(stored)), f"precision {found.precision}"
        if "NaN" in told:
            free = {"question_type": "free_form", "answer_type": "integer"}
            found, _ = _row("mathvista", choices=float("nan"), **free)
            return found.choices == (), f"{found.choices}"
        if "\\ud835" in told:
            found, _ = _row("vqav2", question="What is \ud835?")
            return found.question == "What is \ufffd?", ascii(found.question)
    except UserError as error:
        return _refused(error), str(error)
    return False, "no check of this row"


def _table(mark: bool) -> tuple[bool, str]:
    """MMMU's TSV with a BOM and a reference; or without its column of images."""
    rows = damaged.rows("mmmu-table", PNG)
    if not mark:
        rows = [{name: cell for name, cell in row.items() if name != "image"} for row in rows]
    else:
        other = _png(Image.new("RGB", (32, 24), "maroon"))
        rows[1]["image"] = base64.b64encode(other).decode()
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    content = (b"\xef\xbb\xbf" if mark else b"") + "\n".join(lines).encode()
    found, images = _prepared("mmmu", "rows.tsv", content, n=3)
    same = images[2].tobytes() == images[0].tobytes() != images[1].tobytes()
    return mark and len(found) == 3 and same, f"{len(found)} rows, image of row 0 in row 2: {same}"


def byte_order_mark(case: Case) -> tuple[bool, str]:
    """JSON lines that begin with a BOM."""
    row = {**damaged.rows("mathvista", PNG)[0], "decoded_image": None}
    found, _ = _prepared("mathvista", "rows.jsonl", b"\xef\xbb\xbf" + json.dumps(row).encode())
    return found[0].question == row["question"], found[0].question


def fetch_plan(case: Case) -> tuple[bool, str]:
    """The paper's data that no Hub holds, in a folder without any of it."""
    count = int(re.findall(r"(\d+) data files", case["input"])[0])
    with tempfile.TemporaryDirectory() as folder:
        done = CliRunner().invoke(
            app, ["fetch-plan", "--configfile", str(ROOT / "config.yaml"), "--target-dir", folder]
        )
    lines = [line for line in done.output.splitlines() if line.startswith("missing  file")]
    told = [line for line in lines if re.search(r" to data/\S+, from (?!an origin that)\S", line)]
    return len(told) == count and done.exit_code == 0, f"{len(told)} with place and origin"


CHECKS: dict[str, Callable[[Case], tuple[bool, str]]] = {
    "image": image,
    "narrow-image": narrow_image,
    "rows-list-as-text": list_as_text,
    "rows-null-option": null_option,
    "rows-raw-traceback": raw_traceback,
    "bom": byte_order_mark,
    "fetch": fetch_plan,
}
