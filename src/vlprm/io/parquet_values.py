"""Where the values of an uncompressed Parquet column lie in its file.

pyarrow decodes a column chunk as a whole: for one image of a row group of 256 it reads 256. The
bytes of an uncompressed value are in the file as they are, so its place is enough.
Layout: parquet-format 2.11, ``Encodings.md`` (PLAIN, RLE_DICTIONARY) and ``parquet.thrift``
(PageHeader, in Thrift's compact protocol).
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

Place = tuple[int, int]
"""Offset and length of a value, in bytes of the file."""
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_PLAIN, _PLAIN_DICTIONARY, _RLE_DICTIONARY = 0, 2, 8
_HEADER = 1 << 16


class _UnknownLayoutError(ValueError):
    pass


def value_places(file: BinaryIO, chunk: Any, *, optional: bool) -> list[Place] | None:
    """The places of a chunk's values in row order; None for an unknown layout.

    ``chunk`` is the ``ColumnChunkMetaData`` of a flat byte-array column; ``optional``: its
    column may hold nulls. Known are uncompressed chunks of version 1 pages without nulls, whose
    dictionary-encoded rows are all different: then the dictionary lists them in row order.
    """
    nulls = chunk.statistics.null_count if chunk.is_stats_set else None
    if chunk.compression != "UNCOMPRESSED" or chunk.physical_type != "BYTE_ARRAY":
        return None
    if optional and nulls != 0:
        return None
    start = chunk.data_page_offset
    if chunk.has_dictionary_page:
        start = min(start, chunk.dictionary_page_offset)
    try:
        return _walk(file, start, chunk.num_values, optional=optional)
    except (_UnknownLayoutError, struct.error, IndexError, KeyError):
        return None


def _walk(file: BinaryIO, at: int, rows: int, *, optional: bool) -> list[Place]:
    places: list[Place] = []
    listed, indexed, plain = 0, 0, False
    while indexed + (len(places) - listed) < rows:
        header, body = _page(file, at)
        if header[1] == _DICTIONARY_PAGE and not places:
            listed = header[7][1]
            places += _plain(file, body, listed)
        elif header[1] == _DATA_PAGE and header[5][2] == _PLAIN:
            plain = True
            levels = 4 + _number(file, body) if optional else 0
            places += _plain(file, body + levels, header[5][1])
        elif header[1] == _DATA_PAGE and header[5][2] in (_PLAIN_DICTIONARY, _RLE_DICTIONARY):
            if plain:  # rows of the dictionary after others
                raise _UnknownLayoutError
            indexed += header[5][1]
        else:
            raise _UnknownLayoutError
        at = body + header[3]
    if indexed != listed or len(places) != rows:
        raise _UnknownLayoutError
    return places


def _plain(file: BinaryIO, at: int, count: int) -> list[Place]:
    found = []
    for _ in range(count):
        length = _number(file, at)
        found.append((at + 4, length))
        at += 4 + length
    return found


def _number(file: BinaryIO, at: int) -> int:
    file.seek(at)
    (number,) = struct.unpack("<I", file.read(4))
    return int(number)


def _page(file: BinaryIO, at: int) -> tuple[dict[int, Any], int]:
    """Header of the page at an offset, and where the page's own bytes begin."""
    size = _HEADER
    while True:
        file.seek(at)
        data = file.read(size)
        try:
            header, end = _struct(data, 0)
        except IndexError:
            if len(data) < size:
                raise
            size *= 2  # statistics of the page may hold whole values
        else:
            return header, at + end


def _struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """A Thrift struct in compact protocol: field number to value."""
    fields: dict[int, Any] = {}
    number = 0
    while kind := data[at]:
        at += 1
        if kind >> 4:
            number += kind >> 4
        else:
            number, at = _signed(data, at)
        fields[number], at = _value(data, at, kind & 0x0F)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in (1, 2):
        return kind == 1, at
    if kind in (3, 4, 5, 6):
        return _signed(data, at)
    if kind == 8:
        length, at = _varint(data, at)
        data[at + length - 1]  # complete?
        return data[at : at + length], at + length
    if kind == 12:
        return _struct(data, at)
    raise _UnknownLayoutError  # no page header of parquet.thrift holds another kind


def _signed(data: bytes, at: int) -> tuple[int, int]:
    number, at = _varint(data, at)
    return (number >> 1) ^ -(number & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
