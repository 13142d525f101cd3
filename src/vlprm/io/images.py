"""Images by content: a pack is one Parquet file of PNGs keyed by the sha256 of their pixels.

One file for many images spares cluster file systems and gives a stage one hashable output. Images
are never inside record tables.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from vlprm.errors import UserError
from vlprm.io.atomic import atomic_path, explained
from vlprm.io.parquet_values import Place, value_places
from vlprm.io.pictures import flatten
from vlprm.records import ImageRef

_SCHEMA = pa.schema([("sha256", pa.string()), ("png", pa.large_binary())])
_GROUP = 256
"""Images per row group."""
_IN_MEMORY = 64 << 20
"""Bytes of stored images kept in memory; more go to a temporary file."""


class ImageStore:
    """Images of one or more packs, opened by reference.

    ``ImageStore(*packs)`` reads only the names in the packs; ``open`` reads one image. ``put`` adds
    images (in memory, from 64 MiB on in a temporary file) and ``save`` writes them as a new pack.
    Threads and forked workers may share a store, because every read opens its file anew.
    """

    def __init__(self, *packs: Path) -> None:
        self.packs = tuple(pack for pack in packs if not pack.is_dir())
        self._packs = [_Pack(pack) for pack in self.packs]
        self._at: dict[str, tuple[int, int, int]] = {
            name: (number, group, row)
            for number, pack in enumerate(self._packs)
            for group, names in enumerate(pack.names())
            for row, name in enumerate(names)
        }
        self._put: dict[str, Place] = {}
        self._png = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._lock = threading.Lock()

    def put(self, image: Image.Image) -> ImageRef:
        """Keep an image; equal pixels are kept once.

        Raises UserError when the disk of temporary files is full.
        """
        rgb = flatten(image)
        size = f"{rgb.width}x{rgb.height}:".encode()
        sha256 = hashlib.sha256(size + rgb.tobytes()).hexdigest()
        if sha256 not in self._put:
            buffer = io.BytesIO()
            rgb.save(buffer, format="PNG", compress_level=1)
            try:
                with self._lock:
                    place = (self._png.seek(0, io.SEEK_END), buffer.tell())
                    self._png.write(buffer.getvalue())
            except OSError as error:
                raise explained(error, Path(tempfile.gettempdir())) from error
            self._put[sha256] = place
        return ImageRef(sha256=sha256, width=rgb.width, height=rgb.height)

    def open(self, ref: ImageRef) -> Image.Image:
        """The image as RGB.

        Raises UserError when no pack holds it, and when its pack cannot be read.
        """
        if ref.sha256 in self._put:
            png = self._kept(ref.sha256)
        elif ref.sha256 in self._at:
            number, group, row = self._at[ref.sha256]
            png = self._packs[number].read(group, row)
        else:
            raise self._absent(ref)
        return Image.open(io.BytesIO(png)).convert("RGB")

    def require(self, refs: Iterable[ImageRef]) -> None:
        """Look for the names of images; none is read.

        Raises UserError when no pack holds one.
        """
        for ref in refs:
            if ref.sha256 not in self._put and ref.sha256 not in self._at:
                raise self._absent(ref)

    def _absent(self, ref: ImageRef) -> UserError:
        packs = ", ".join(map(str, self.packs))
        return UserError(
            f"image {ref.sha256[:12]}… is in none of the packs given",
            where=packs or None,
            cure="pass the image pack written beside the samples",
        )

    def save(self, path: Path) -> int:
        """Write the images that were put as one pack, sorted by name; returns their number.

        Raises UserError when the disk is full.
        """
        names = sorted(self._put)
        with (
            atomic_path(path) as temporary,
            pq.ParquetWriter(temporary, _SCHEMA, compression="none") as writer,
        ):
            for start in range(0, max(len(names), 1), _GROUP):
                part = names[start : start + _GROUP]
                png = [self._kept(name) for name in part]
                writer.write_table(pa.table({"sha256": part, "png": png}, schema=_SCHEMA))
        return len(names)

    def _kept(self, sha256: str) -> bytes:
        offset, length = self._put[sha256]
        with self._lock:
            self._png.seek(offset)
            return self._png.read(length)


class _Pack:
    """One pack: its footer, and where the images of each used row group lie."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[int, list[Place] | None] = {}
        self._last: tuple[int, pa.ChunkedArray] | None = None
        with self._reading(), pq.ParquetFile(path) as file:
            columns = file.metadata.schema.names
            if not {"sha256", "png"} <= set(columns):
                raise pa.ArrowInvalid(f"columns {', '.join(columns)}")
            self._metadata = file.metadata
            self._column = columns.index("png")

    def names(self) -> Iterator[list[str]]:
        """The names of each row group."""
        with self._reading(), pq.ParquetFile(self._path, metadata=self._metadata) as file:
            for group in range(self._metadata.num_row_groups):
                yield file.read_row_group(group, ["sha256"], use_threads=False)[0].to_pylist()

    def read(self, group: int, row: int) -> bytes:
        """The bytes of one image; only these are read where the layout says where they lie."""
        with self._reading(), self._path.open("rb") as file:
            if group not in self._places:
                chunk = self._metadata.row_group(group).column(self._column)
                self._places[group] = value_places(file, chunk, optional=True)
            places = self._places[group]
            if places is not None:
                offset, length = places[row]
                file.seek(offset)
                return file.read(length)
        return self._decoded(group)[row].as_py()  # type: ignore[no-any-return]

    def _decoded(self, group: int) -> pa.ChunkedArray:
        """A row group of a pack of another writer (compressed); the last one is kept."""
        last = self._last
        if last is None or last[0] != group:
            with self._reading(), pq.ParquetFile(self._path, metadata=self._metadata) as file:
                last = (group, file.read_row_group(group, ["png"], use_threads=False)[0])
            self._last = last
        return last[1]

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise UserError(
                f"not a readable image pack ({error})",
                where=str(self._path),
                cure="rerun the prepare stage of this data set",
            ) from error
