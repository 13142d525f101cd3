"""Make an x86-64 program built on glibc 2.38 or later load on an older glibc.

``older_libc.py FILE [FILE ...]``, in place, size unchanged; only where all it wants from 2.38 is
``older_libc.py FILE [FILE ...]``, in place, size unchanged; only where all it wants from 2.38 are
is re-pointed to the plain name, a suffix of the same string, at version GLIBC_2.2.5. Refuses with
exit status 1 where another newer symbol is needed.
"""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path

DYNSYM, VERSYM, VERNEED = 11, 0x6FFFFFFF, 0x6FFFFFFE
PREFIX = "__isoc23_"


class Program:
    """The parts of an ELF file that say which symbols it wants from which library version."""

    def __init__(self, path: Path) -> None:
        self.path, self.data = path, bytearray(path.read_bytes())
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise SystemExit(f"{path}: no little-endian ELF64 file")
        start = struct.unpack_from("<Q", self.data, 0x28)[0]
        count = struct.unpack_from("<H", self.data, 0x3C)[0]
        sections = [
            struct.unpack_from("<IIQQQQIIQQ", self.data, start + 64 * i) for i in range(count)
        ]
        kinds = {section[1]: section for section in sections}
        self.symbols, self.versions, self.needs = (kinds[k] for k in (DYNSYM, VERSYM, VERNEED))
        self.strings = sections[self.symbols[6]][4]

    def string(self, offset: int) -> str:
        """The zero-terminated string at an offset of the string table."""
        start = self.strings + offset
        return self.data[start : self.data.index(0, start)].decode()

    def needed_versions(self) -> dict[int, tuple[str, int]]:
        """Version index to its name and the place of its entry in the file."""
        found, at = {}, self.needs[4]
        for _ in range(self.needs[7]):
            _, count, _, first, following = struct.unpack_from("<HHIII", self.data, at)
            entry = at + first
            for _ in range(count):
                _, _, other, name, further = struct.unpack_from("<IHHII", self.data, entry)
                found[other & 0x7FFF] = (self.string(name), entry)
                entry += further
            at += following
        return found

    def repoint(self) -> list[str]:
        """Re-point the symbols; returns their names. Raises SystemExit where it cannot."""
        versions = self.needed_versions()
        base = next(i for i, (name, _) in versions.items() if name == "GLIBC_2.2.5")
        newer = {i for i, (name, _) in versions.items() if _minor(name) > 36}
        done = []
        for number in range(self.symbols[5] // 24):
            symbol, version = self.symbols[4] + 24 * number, self.versions[4] + 2 * number
            index = struct.unpack_from("<H", self.data, version)[0] & 0x7FFF
            if index not in newer:
                continue
            offset = struct.unpack_from("<I", self.data, symbol)[0]
            name = self.string(offset)
            if not name.startswith(f"{PREFIX}strto"):
                raise SystemExit(f"{self.path}: {name} needs {versions[index][0]}")
            struct.pack_into("<I", self.data, symbol, offset + len(PREFIX))
            struct.pack_into("<H", self.data, version, base)
            done.append(name)
        for index in newer:  # what asked for the new version now asks for the old one
            entry, old = versions[index][1], versions[base][1]
            self.data[entry : entry + 4] = self.data[old : old + 4]
            self.data[entry + 8 : entry + 12] = self.data[old + 8 : old + 12]
        return done


def _minor(version: str) -> int:
    match = re.fullmatch(r"GLIBC_2\.(\d+)(?:\.\d+)?", version)
    return int(match[1]) if match else 0


def main() -> None:
    for name in sys.argv[1:]:
        program = Program(Path(name))
        done = program.repoint()
        program.path.write_bytes(program.data)
        print(name, "re-pointed:", ", ".join(done) or "nothing to do")


if __name__ == "__main__":
    main()
