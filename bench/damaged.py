"""Damaged files as people have them: images, and rows of every format (part of ``rows_fuzz``)."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

Draw = np.random.Generator
STRANGE: tuple[Any, ...] = (
    None, True, 0, -1, 3, 10**30, 0.5, float("nan"), float("inf"), "", " ", "nan", "None", "\0",
    "\ud835", "a\ud800b", "é" * 300, "x" * 400, "1.0", "-3", "1e400", "[", "[]", "['a', 'b']",
    "['a' 'b']", "['a', nan]", '["\\ud835", 1]', "[[1]]", "{'a': 1}", "(1, 2)", "A", "Z",
    "../a.png", "/", "a.png", "b.png", "." * 250, "<image 9999999999>", "<image 2>", "iVBORw0KGgo=",
    "%%%%",
    [], [None], ["A", None, "C"], ["A", float("nan")], [[]], [True], [1, 2.5, "x"], ["x"] * 40,
    {}, {"bytes": None}, {"bytes": "x"}, {"bytes": b"\x89PNG"}, {"bytes": 7}, {"task": []}, b"",
    b"\xff",
)  # fmt: skip
"""Values that no column is meant to hold, or that one holds where another is meant."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO", "TGA")


def images(draw: Draw) -> list[bytes]:
    """One small image in each format and mode, the JPEG with an EXIF block."""
    noise = draw.integers(0, 256, (24, 32, 4), dtype=np.uint8)
    noise[:, :, 3] |= 128
    deep = Image.fromarray((noise[:, :, 0].astype(np.uint16) << 8) | noise[:, :, 1])
    made = [(name, Image.fromarray(noise[:, :, :3])) for name in FORMATS]
    made += [("PNG", deep), ("TIFF", deep.convert("F")), ("TIFF", deep.convert("I"))]
    made += [("PNG", Image.fromarray(noise)), ("PNG", Image.fromarray(noise).convert("P"))]
    made += [("PNG", made[0][1].convert("1")), ("JPEG", made[0][1].convert("CMYK"))]
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    found = []
    for name, image in made:
        file = io.BytesIO()
        extra = {"exif": exif} if name in ("JPEG", "PNG", "TIFF", "WEBP") else {}
        image.save(file, name, **extra)
        found.append(file.getvalue())
    return found


def damaged(data: bytes, draw: Draw) -> bytes:
    """Cut, overwritten, bits turned, a part taken out, doubled or exchanged, or zeros."""
    found = bytearray(data)
    for _ in range(int(draw.integers(1, 4))):
        size = len(found)
        if not size:
            break
        at = int(draw.integers(size)) if draw.random() < 0.5 else int(draw.integers(min(size, 64)))
        span = int(draw.integers(1, 1 + min(64, size - at)))
        kind = int(draw.integers(6))
        if kind == 0:
            del found[at:]
        elif kind == 1:
            found[at : at + span] = draw.bytes(span)
        elif kind == 2:
            found[at] ^= 1 << int(draw.integers(8))
        elif kind == 3:
            del found[at : at + span]
        elif kind == 4:
            found[at:at] = found[at : at + span]
        else:
            found[at : at + span] = bytes([int(draw.choice([0, 255]))]) * span
    return bytes(found)


def rows(kind: str, png: bytes) -> list[dict[str, Any]]:
    """Three good rows of one kind of data set; ``a.png`` lies beside them."""
    puzzle = {"image": "a.png", "question": "How many?", "options": ["1", "2", "3"], "answer": "2"}
    cell = {"bytes": png, "path": None}
    vista = {
        "question": "How many?", "decoded_image": cell, "image": "a.png", "choices": ["1", "2"],
        "unit": None, "precision": 1.0, "answer": "2", "question_type": "multi_choice",
        "answer_type": "text", "metadata": {"task": "counting"},
    }  # fmt: skip
    vision = {
        "question": "How many? <image1>", "options": ["1", "2"], "image": "a.png",
        "decoded_image": cell, "answer": "B", "solution": None, "level": 1, "subject": "algebra",
    }  # fmt: skip
    mmmu = {
        "question": "How many in <image 1>?", "options": "['1', '2']", "explanation": "",
        "image_1": cell, "image_2": None, "answer": "B", "question_type": "multiple-choice",
    }  # fmt: skip
    table = {
        "question": "How many?", "A": "1", "B": "2", "C": "", "answer": "B", "category": "Maths",
        "image": base64.b64encode(png).decode(), "split": "validation",
    }  # fmt: skip
    corpus = {"image": "a.png", "question": "How many?", "answer": "2"}
    panel = {"combined_image_path": "a.png", "correct_answer": "A", "subset_split": "center"}
    good: dict[str, Callable[[int], dict[str, Any]]] = {
        "puzzlevqa": lambda k: {**puzzle, "caption": f"puzzle {k}"},
        "algopuzzlevqa": lambda k: {**puzzle, "solution": {"steps": [k]}},
        "mathvista": lambda k: {"pid": str(k), **vista, **({"question_type": "free_form",
                                "answer_type": "float", "answer": "1.5"} if k else {})},
        "mathvision": lambda k: {"id": str(k), **vision},
        "mmmu": lambda k: {"id": f"validation_Art_{k}", **mmmu},
        "mmmu-table": lambda k: {"index": str(k), "id": f"validation_Art_{k}", **table,
                                 **({"image": "0"} if k == 2 else {})},
        "vqav2": lambda k: {"uid": str(k), **corpus},
        "raven": lambda k: {"id": str(k), **panel},
    }  # fmt: skip
    return [good[kind](number) for number in range(3)]


def strange(found: list[dict[str, Any]], draw: Draw) -> None:
    """Put up to three strange values, missing fields or exchanged ones into rows."""
    for _ in range(int(draw.integers(0, 4))):
        row = found[int(draw.integers(len(found)))]
        name = str(draw.choice(list(row)))
        kind = draw.random()
        if kind < 0.7:
            row[name] = STRANGE[int(draw.integers(len(STRANGE)))]
        elif kind < 0.85 and len(row) > 1:
            del row[name]
        else:
            row[name] = row[str(draw.choice(list(row)))]


def write_jsonl(path: Path, found: list[dict[str, Any]], draw: Draw) -> None:
    """JSON lines, now and then with a BOM; bytes become base64."""
    text = "\n".join(
        json.dumps(row, default=lambda b: base64.b64encode(b).decode()) for row in found
    )
    path.write_bytes((b"\xef\xbb\xbf" if draw.random() < 0.1 else b"") + text.encode())


def write_tsv(path: Path, found: list[dict[str, Any]], draw: Draw) -> None:
    """Tab-separated values as data frames write them."""
    names = list(dict.fromkeys(name for row in found for name in row))
    cells = [[str(row.get(name, "")) for name in names] for row in found]
    text = "\r\n".join("\t".join(line) for line in [names, *cells])
    mark = b"\xef\xbb\xbf" if draw.random() < 0.1 else b""
    path.write_bytes(mark + text.encode("utf-8", "replace"))


def write_parquet(path: Path, found: list[dict[str, Any]], draw: Draw) -> None:
    """Parquet with a column a field; a column of values of several types becomes text."""
    names = list(dict.fromkeys(name for row in found for name in row))
    columns = {}
    for name in names:
        cells = [row.get(name) for row in found]
        try:
            columns[name] = pa.array(cells)
            if "struct<>" in str(columns[name].type):  # Parquet holds no empty object
                raise TypeError(name)
        except (pa.ArrowException, UnicodeEncodeError, OverflowError, TypeError):
            texts = [str(cell).encode("utf-8", "replace").decode() for cell in cells]
            columns[name] = pa.array(texts)
    pq.write_table(pa.table(columns), path, compression="none" if draw.random() < 0.5 else "snappy")
