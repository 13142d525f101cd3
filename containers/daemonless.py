"""Build an image without a daemon: a Debian root by mmdebstrap, and our scripts in it.

``daemonless.py ROLE`` leaves in the work folder ``ROLE.oci.tar`` (an OCI layout; its manifest's
digest is the image's) and ``ROLE.sif`` (the same files for Apptainer, the same bytes every time).
Three layers: Debian, Python packages, and what is added last (flash-attn, self-test, description).
A layer whose inputs have not changed is kept, so a build goes on where it was left.
Needs root, and mmdebstrap, zstd, squashfs-tools and apptainer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import oci
from recipe import ASKED, EPOCH, HERE, LOCKS, MOVED_ON, PINS, SOURCE, BuildError, run

TOOLS = ("mmdebstrap", "unshare", "chroot", "tar", "zstd", "mksquashfs", "apptainer")


def mirror_of_host() -> str:
    """The address of the host's own Debian mirror."""
    for file in sorted(Path("/etc/apt/sources.list.d").glob("*.sources")):
        match = re.search(r"^URIs: *(\S+)", file.read_text(), re.M)
        if match:
            return match[1]
    listed = Path("/etc/apt/sources.list")
    match = re.search(r"^deb .*?(\S+://\S+)", listed.read_text() if listed.exists() else "", re.M)
    if match:
        return match[1]
    raise BuildError("this host names no Debian mirror -> pass --mirror ADDRESS")


def debian_root(root: Path, role: str, mirror: str) -> None:
    """Make a minimal Debian root; nothing of the host enters it."""
    excluded = [
        f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in ("man", "doc", "locale", "info")
    ]
    line = (
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
        f" {mirror} {PINS['DEBIAN_SUITE']} main"
    )
    run(
        *("mmdebstrap", "--quiet", "--skip=output/dev", "--variant=essential", "--mode=root"),
        *("--format=directory", f"--include={','.join(ASKED[role])}", *excluded),
        *('--aptopt=Acquire::Check-Valid-Until "false"', PINS["DEBIAN_SUITE"], root, line),
        env=os.environ | {"SOURCE_DATE_EPOCH": str(EPOCH)},
    )
    for folder in ("var/lib/apt", "var/cache/apt", "var/cache/ldconfig", "var/log"):
        shutil.rmtree(root / folder, ignore_errors=True)
    (root / "var/log").mkdir()
    for file in ("hostname", "resolv.conf", "hosts", "localtime", "machine-id"):
        (root / "etc" / file).unlink(missing_ok=True)
        (root / "etc" / file).touch()
    (root / "etc/apt/sources.list").unlink(missing_ok=True)


def debian_lock(root: Path) -> str:
    """The text of debian-ROLE.lock for a root: one ``name=version`` per line, sorted."""
    release = (root / "etc/debian_version").read_text().strip()
    listed = subprocess.run(
        ["chroot", str(root), "dpkg-query", "-W", "-f", "${Package}=${Version}\n"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    head = f"# Debian {release}, snapshot {PINS['SNAPSHOT']}; written by containers/build lock\n"
    return head + "".join(sorted(listed.splitlines(keepends=True)))


def check_debian(root: Path, role: str) -> None:
    """Refuse a root whose packages are not those of the committed list."""
    wanted, found = (HERE / f"debian-{role}.lock").read_text(), debian_lock(root)
    if found == wanted:
        return
    release = (root / "etc/debian_version").read_text().strip()
    if release != PINS["DEBIAN_RELEASE"]:
        raise BuildError(
            f"the mirror serves Debian {release}, locked is {PINS['DEBIAN_RELEASE']}"
            f" -> pass --mirror with the snapshot archive at {PINS['SNAPSHOT']}",
            MOVED_ON,
        )
    other = sorted(set(found.splitlines()) ^ set(wanted.splitlines()))
    raise BuildError(f"Debian packages differ from debian-{role}.lock: {' '.join(other)[:600]}")


def inside(root: Path, wheels: Path, *command: str, environment: dict[str, str]) -> None:
    """Run a command in the root, without network; it sees checkout and wheels, read-only."""
    script = (
        'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev"'
        ' && mount -t tmpfs tmpfs "$1/tmp"'
        ' && mount -t tmpfs tmpfs "$1/mnt" && mkdir "$1/mnt/source" "$1/mnt/wheels"'
        ' && mount --bind -o ro "$2" "$1/mnt/source" && mount --bind -o ro "$3" "$1/mnt/wheels"'
        ' && root="$1" && shift 3 && exec chroot "$root" "$@"'
    )
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp"} | environment
    pairs = [f"{name}={value}" for name, value in variables.items()]
    run(
        *("unshare", "--mount", "--pid", "--fork", "--net", "--propagation", "private"),
        *("bash", "-c", script, "bash", root, SOURCE, wheels),
        *("/usr/bin/env", "-i", *pairs, *command),
        shown=" ".join(command[:4]),
    )


def fetch_wheels(role: str, wheels: Path) -> None:
    """Download what the role's locks name, checked by hash, for the image's Python, on the host."""
    wheels.mkdir(parents=True, exist_ok=True)
    glibc = [f"manylinux_2_{minor}_x86_64" for minor in range(5, 37)]
    tags = [*glibc, "manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64"]
    target = ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp"]
    target += [f"--platform={tag}" for tag in [*tags, "linux_x86_64", "any"]]
    target += ["--abi=cp311", "--abi=abi3", "--abi=none"]
    for name in LOCKS[role]:
        text = (SOURCE / "envs" / f"{name}.lock").read_text(encoding="utf-8")
        blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M)[1:]
        apart = tuple(f"{package}==" for package in PINS["SOURCE_ONLY"].split("|"))
        sources = [b for b in blocks if b.startswith(apart)]
        binary = [b for b in blocks if not b.startswith((*apart, "flash-attn=="))]
        for kind, chosen, options in (
            ("wheels", binary, target),
            ("sources", sources, [f"--no-binary={PINS['SOURCE_ONLY'].replace('|', ',')}"]),
        ):
            if chosen:
                listing = wheels.parent / f"{name}.{kind}.txt"
                listing.write_text("".join(chosen), encoding="utf-8")
                run(
                    *(sys.executable, "-m", "pip", "--quiet", "download", "--no-deps"),
                    *("--require-hashes", *options, "-r", listing, "-d", wheels),
                    *("--find-links", wheels, "--no-cache-dir"),
                    shown=f"pip download of envs/{name}.lock",
                )


def sha256_of(*paths: Path, more: str = "") -> str:
    """One digest over files and a string: what a layer was made from."""
    digest = hashlib.sha256(more.encode())
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Build:
    """The root and the layers of one image in a work folder."""

    def __init__(self, role: str, work: Path) -> None:
        self.role, self.work, self.root = role, work, work / "root"
        self.state = work / "root.layer"  # name and key of the last layer that is in the root
        self.layers: list[oci.Layer] = []

    def layer(self, name: str, key: str, make: Callable[[], None]) -> None:
        """Make a layer, or take the one that was made from the same inputs."""
        key = sha256_of(more=key + "".join(layer.digest for layer in self.layers))
        kept = oci.Layer.load(self.work / f"{name}.json")
        if kept is not None and kept.key == key and kept.file.exists():
            print(f"{self.role}: layer {name} kept", flush=True)
            self.layers.append(kept)
            return
        print(f"{self.role}: layer {name}", flush=True)
        self.restore()
        self.state.unlink(missing_ok=True)
        before = oci.listing(self.root) if self.layers else {}
        make()
        self.layers.append(oci.write_layer(self.work, name, key, self.root, before, EPOCH))
        self.state.write_text(self.layers[-1].digest)

    def restore(self) -> None:
        """Bring the root to what the layers so far hold."""
        last = self.layers[-1].digest if self.layers else ""
        there = self.root.is_dir() and self.state.exists()
        if there and last and self.state.read_text() == last:
            return
        mounted = [row.split()[1] for row in Path("/proc/mounts").read_text().splitlines()]
        busy = [place for place in mounted if Path(place).is_relative_to(self.root)]
        if busy:
            raise BuildError(f"{busy[0]} is still mounted by a build that was killed -> umount it")
        self.state.unlink(missing_ok=True)  # killed from here on, the root is no layer's
        shutil.rmtree(self.root, ignore_errors=True)
        for layer in self.layers:
            self.root.mkdir(exist_ok=True)
            # directories get their times at the end, or what is unpacked later would change them
            how = ["--zstd", "-xp", "--numeric-owner", "--delay-directory-restore"]
            run("tar", *how, "-f", layer.file, "-C", self.root)
        self.state.write_text(last)


def build(role: str, work: Path, wheels: Path, mirror: str, without_flash_attn: bool) -> str:
    """Build the layers, the OCI layout and the SIF; return the manifest's digest."""
    job = Build(role, work)
    work.mkdir(parents=True, exist_ok=True)
    debian = HERE / f"debian-{role}.lock"
    locks = [SOURCE / "envs" / f"{name}.lock" for name in LOCKS[role]]
    scripts = [HERE / name for name in ("pins.env", "install.sh", "describe.py", "nvcc.sh")]
    scripts += sorted(HERE.glob("selftest*.py"))
    # of pins.env, what a layer reads: another choice of kernels installs no package again
    of_debian = [PINS[k] for k in ("DEBIAN_SUITE", "DEBIAN_RELEASE", "SNAPSHOT")]
    of_packages = [PINS[k] for k in ("SOURCE_ONLY", "SOURCE_DATE_EPOCH")]

    def make_debian() -> None:
        debian_root(job.root, role, mirror)
        check_debian(job.root, role)

    def script(name: str) -> None:
        variables = {"WITHOUT_FLASH_ATTN": "1"} if without_flash_attn else {}
        command = ["bash", f"/mnt/source/containers/{name}", role, "/mnt/source", "/mnt/wheels"]
        inside(job.root, wheels, *command, environment=variables)

    def make_packages() -> None:
        fetch_wheels(role, wheels)
        script("packages.sh")

    flash = [] if without_flash_attn or role == "cpu" else sorted(wheels.glob("flash_attn*"))
    job.layer("debian", sha256_of(debian, more=" ".join([mirror, *of_debian])), make_debian)
    script_key = sha256_of(*locks, HERE / "packages.sh", more=" ".join(of_packages))
    job.layer("packages", script_key, make_packages)
    more = f"without={without_flash_attn}"
    job.layer(
        "image",
        sha256_of(*locks, debian, *scripts, *flash, more=more),
        lambda: script("install.sh"),
    )
    job.restore()
    checks = ["/opt/venv/bin/python", "-B", "/opt/selftest.py"]
    checks += ["--without-flash-attn"] if without_flash_attn else []
    inside(job.root, wheels, *checks, environment={"PATH": "/opt/venv/bin:/usr/bin:/bin"})
    digest = oci.write_layout(work, role, job.layers, EPOCH)
    run("bash", HERE / "sif.sh", job.root, work / f"{role}.sif", str(EPOCH))
    return digest


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("role", choices=sorted(ASKED))
    parser.add_argument("--work", type=Path, default=SOURCE / "build" / "images")
    parser.add_argument("--mirror", help="Debian mirror or snapshot address; default: the host's")
    parser.add_argument("--without-flash-attn", action="store_true")
    parser.add_argument(
        "--lock-debian", action="store_true", help="write debian-ROLE.lock, no image"
    )
    given = parser.parse_args()
    work = given.work.resolve() / given.role
    try:
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        if missing or os.geteuid() != 0:
            raise BuildError(
                f"needs root and {', '.join(missing or TOOLS)} -> containers/README.md"
            )
        mirror = given.mirror or mirror_of_host()
        if given.lock_debian:
            root = work / "lock-root"
            shutil.rmtree(root, ignore_errors=True)
            work.mkdir(parents=True, exist_ok=True)
            debian_root(root, given.role, mirror)
            (HERE / f"debian-{given.role}.lock").write_text(debian_lock(root), encoding="utf-8")
            shutil.rmtree(root)
            return 0
        wheels = given.work.resolve() / "wheels"
        digest = build(given.role, work, wheels, mirror, given.without_flash_attn)
    except BuildError as error:
        sys.stderr.write(f"error: {given.role} image: {error}\n")
        return error.status
    except (RuntimeError, subprocess.CalledProcessError, OSError) as error:
        sys.stderr.write(f"error: {given.role} image: {error}\n")
        return 2
    sif = work / f"{given.role}.sif"
    facts = {"role": given.role, "digest": digest, "sif_sha256": oci.sha256_of_file(sif)}
    facts |= {"sif_bytes": sif.stat().st_size}
    described = json.loads((work / "root" / "opt/vlprm-image.json").read_text(encoding="utf-8"))
    facts |= {"flash_attn": described["flash_attn"]}
    (work / "image.facts.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
