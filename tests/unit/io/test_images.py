"""Image packs: one image read at a time, whatever the pack's layout, by threads and forks."""

from __future__ import annotations

import hashlib
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vlprm.errors import UserError
from vlprm.io import images as module
from vlprm.io.images import ImageStore
from vlprm.records import ImageRef

SCHEMA = pa.schema([("sha256", pa.string()), ("png", pa.large_binary())])


def noise(seed: int, size: int) -> Image.Image:
    """Noise is no smaller as PNG: ``size`` squared times 3 bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def pack(path: Path, n: int, size: int) -> list[ImageRef]:
    store = ImageStore()
    refs = [store.put(noise(seed, size)) for seed in range(n)]
    assert store.save(path) == len(set(refs)) == n
    return refs


def same(image: Image.Image, ref: ImageRef) -> bool:
    size = f"{image.width}x{image.height}:".encode()
    return hashlib.sha256(size + image.tobytes()).hexdigest() == ref.sha256


@pytest.mark.parametrize(
    ("n", "size"),
    [(1, 4), (300, 4), (600, 24), (40, 200)],
    ids=["one", "in the dictionary", "beyond the dictionary", "each its own page"],
)
def test_every_image_is_read_where_it_lies(
    tmp_path: Path, n: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = pack(tmp_path / "a.parquet", n, size)
    store = ImageStore(tmp_path / "a.parquet")
    monkeypatch.setattr(module._Pack, "_decoded", None)  # never a whole row group
    assert all(same(store.open(ref), ref) for ref in refs)


def test_saved_bytes_are_those_of_one_table(tmp_path: Path) -> None:
    refs = pack(tmp_path / "a.parquet", 600, 24)
    table = pq.read_table(tmp_path / "a.parquet", schema=SCHEMA)
    pq.write_table(table, tmp_path / "b.parquet", compression="none", row_group_size=256)
    assert table["sha256"].to_pylist() == sorted(ref.sha256 for ref in refs)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert ImageStore().save(tmp_path / "none.parquet") == 0
    pq.write_table(table.slice(0, 0), tmp_path / "b.parquet", compression="none")
    assert (tmp_path / "none.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zstd"},
        {"compression": "none", "data_page_version": "2.0"},
        {"compression": "none", "use_dictionary": False},
        {"compression": "none", "write_page_checksum": True},
    ],
    ids=lambda options: " ".join(map(str, options.values())),
)
def test_packs_of_another_writer(tmp_path: Path, options: dict[str, object]) -> None:
    refs = pack(tmp_path / "a.parquet", 70, 24)
    table = pq.read_table(tmp_path / "a.parquet")
    table = pa.concat_tables([table, table.slice(0, 3)])  # rows that repeat
    pq.write_table(table, tmp_path / "b.parquet", row_group_size=64, **options)
    store = ImageStore(tmp_path / "b.parquet")
    assert all(same(store.open(ref), ref) for ref in refs)


def test_construction_reads_no_image(tmp_path: Path) -> None:
    refs = pack(tmp_path / "a.parquet", 40, 200)
    whole = bytearray((tmp_path / "a.parquet").read_bytes())
    chunk = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(1)
    start = chunk.dictionary_page_offset
    whole[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    (tmp_path / "a.parquet").write_bytes(whole)
    store = ImageStore(tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet.*not a readable image pack"):
        store.open(refs[0])


def test_several_packs_and_put_images_together(tmp_path: Path) -> None:
    first = pack(tmp_path / "a.parquet", 5, 8)
    second = pack(tmp_path / "b.parquet", 9, 8)
    store = ImageStore(tmp_path / "a.parquet", tmp_path / "b.parquet", tmp_path)
    put = store.put(noise(77, 8))
    assert all(same(store.open(ref), ref) for ref in [*first, *second, put])
    assert store.save(tmp_path / "c.parquet") == 1
    with pytest.raises(UserError, match="in none of the packs"):
        ImageStore(tmp_path / "c.parquet").open(second[-1])


def test_what_is_put_goes_to_disk_when_it_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(tmp_path / "a.parquet", 30, 24)
    monkeypatch.setattr(module, "_IN_MEMORY", 4000)
    refs = pack(tmp_path / "b.parquet", 30, 24)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    store = ImageStore()
    assert [store.put(noise(seed, 24)) for seed in range(30)] == refs
    assert store._png._rolled
    assert all(same(store.open(ref), ref) for ref in refs)


def test_threads_and_forked_workers_share_a_store(tmp_path: Path) -> None:
    refs = pack(tmp_path / "a.parquet", 300, 24)
    store = ImageStore(tmp_path / "a.parquet")
    store.open(refs[0])
    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(lambda ref: same(store.open(ref), ref), refs))
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    workers = [
        context.Process(
            target=lambda part: queue.put(sum(same(store.open(r), r) for r in part)),
            args=(refs[start::3],),
        )
        for start in range(3)
    ]
    for worker in workers:
        worker.start()
    assert sum(queue.get() for _ in workers) == len(refs)
    for worker in workers:
        worker.join()


@pytest.mark.parametrize("content", [None, b"PAR1", b"no pack at all"])
def test_no_pack(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.parquet.*not a readable image pack"):
        ImageStore(tmp_path / "a.parquet")


def test_a_table_of_other_columns_is_no_pack(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="columns id"):
        ImageStore(tmp_path / "a.parquet")
