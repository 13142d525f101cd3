#!/usr/bin/env bash
# Inside the image: the role's Python packages into /opt/venv, from hash-locked files alone.
#   packages.sh ROLE SOURCE [WHEELS]   all but flash-attn, which install.sh adds
# SOURCE: the checkout, read-only; WHEELS: folder to install from instead of the package index.
# Apart from install.sh, so that a change of what is added last installs nothing again.
# Leaves no caches; bytecode is compiled once, checked by no clock.
set -euo pipefail
role="$1" source="$2" wheels="${3:-}"
. "$source/containers/pins.env"
export SOURCE_DATE_EPOCH PYTHONHASHSEED=0 LC_ALL=C.UTF-8 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
export PYTHONDONTWRITEBYTECODE=1
venv=/opt/venv
python="$venv/bin/python"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
from=()
[ -z "$wheels" ] || from=(--no-index --find-links "$wheels")

case "$role" in
  cpu) locks=(cpu torch-cpu) ;;
  gpu) locks=(gpu) ;;
  *) echo "packages.sh: no role '$role' -> cpu or gpu" >&2; exit 2 ;;
esac
# The requirements of the role's locks whose names match PATTERN (only) or do not (without).
only() { for lock in "${locks[@]}"; do awk -v keep="$1" '/^[a-zA-Z0-9]/ {on = ($0 ~ "^(" keep ")==")} on' "$source/envs/$lock.lock"; done; }
without() { for lock in "${locks[@]}"; do awk -v drop="$1" '/^[a-zA-Z0-9]/ {on = ($0 !~ "^(" drop ")==")} on' "$source/envs/$lock.lock"; done; }
pip() { "$python" -m pip --quiet install --no-deps --no-compile "${from[@]}" "$@"; }

/usr/bin/python3 -m venv "$venv"
without "flash-attn|$SOURCE_ONLY" > "$work/wheels.lock"
pip --require-hashes -r "$work/wheels.lock"
only "$SOURCE_ONLY" > "$work/sources.lock"
if [ -s "$work/sources.lock" ]; then
  # DeepSpeed without its optional CUDA extensions; its build asks for torch, so torch came first
  DS_BUILD_OPS=0 pip --require-hashes --no-build-isolation --use-pep517 -r "$work/sources.lock"
fi
rm -rf "$venv"/lib/python3.11/site-packages/{pip,pip-*.dist-info} "$venv"/bin/pip*
find "$venv" -name __pycache__ -prune -exec rm -rf {} +
# One process, fixed hash order, and nothing imported from there before: the same bytecode every time.
# (What Python imports at its start it would itself compile, with a time inside, and -f goes over that.)
# A few files are for newer Pythons and do not compile.
"$python" -B -S -m compileall -f -qq --invalidation-mode unchecked-hash "$venv/lib/python3.11/site-packages" || true
