#!/usr/bin/env bash
# A SIF with the same bytes for the same root folder.   sif.sh ROOT OUT EPOCH
# `apptainer build` cannot: it writes the current time and a random id into the header and the labels.
set -euo pipefail
root="$1" out="$2" epoch="$3"
work="$(mktemp -d -p "$(dirname "$out")")"
trap 'rm -rf "$work"' EXIT
touch -d "@$epoch" "$root"   # the one folder that is in no layer
unset SOURCE_DATE_EPOCH   # mksquashfs refuses it together with -mkfs-time
mksquashfs "$root" "$work/root.squashfs" -noappend -quiet -no-progress -reproducible -no-xattrs \
  -comp zstd -Xcompression-level 3 -mkfs-time "$epoch"
apptainer sif new "$work/image.sif"
apptainer sif add --datatype 4 --parttype 2 --partfs 1 --partarch 2 --filename rootfs --groupid 1 \
  "$work/image.sif" "$work/root.squashfs"
/usr/bin/env python3 - "$work/image.sif" "$epoch" <<'PYTHON'
"""Set times to the epoch, owners to root, and the id to the digest of everything else."""
import hashlib
import struct
import sys

path, epoch = sys.argv[1], int(sys.argv[2])
with open(path, "r+b") as file:
    header = file.read(128)
    if header[32:41] != b"SIF_MAGIC":
        sys.exit(f"{path}: no SIF header")
    total, offset = struct.unpack_from("<q", header, 88)[0], struct.unpack_from("<q", header, 96)[0]
    file.seek(64)
    file.write(struct.pack("<qq", epoch, epoch))
    for number in range(total):
        descriptor = offset + 585 * number
        file.seek(descriptor)
        if file.read(585)[4]:
            file.seek(descriptor + 41)
            file.write(struct.pack("<qqqq", epoch, epoch, 0, 0))
    file.seek(48)
    file.write(bytes(16))
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").digest()[:16]
    file.seek(48)
    file.write(digest)
PYTHON
chmod 755 "$work/image.sif"
mv "$work/image.sif" "$out"
