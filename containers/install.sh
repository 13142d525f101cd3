#!/usr/bin/env bash
# Inside the image: the role's Python packages into /opt/venv, from hash-locked files alone.
#   install.sh packages ROLE SOURCE [WHEELS]   all but flash-attn
#   install.sh image ROLE SOURCE [WHEELS]      flash-attn's wheel (GPU roles), self-test, description
# SOURCE: the checkout, read-only; WHEELS: folder to install from instead of the package index.
# WITHOUT_FLASH_ATTN=1 leaves flash-attn out; the image says so and its self-test refuses it unless
# told the same. Leaves no caches; bytecode is compiled once, checked by no clock.
set -euo pipefail
step="$1" role="$2" source="$3" wheels="${4:-}"
. "$source/containers/pins.env"
export SOURCE_DATE_EPOCH PYTHONHASHSEED=0 LC_ALL=C.UTF-8 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
venv=/opt/venv
python="$venv/bin/python"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
from=()
[ -z "$wheels" ] || from=(--no-index --find-links "$wheels")

case "$role" in
  cpu) locks=(cpu torch-cpu) ;;
  inference | train) locks=("$role") ;;
  *) echo "install.sh: no role '$role' -> cpu, inference or train" >&2; exit 2 ;;
esac
# The requirements of the role's locks whose names match PATTERN (only) or do not (without).
only() { for lock in "${locks[@]}"; do awk -v keep="$1" '/^[a-zA-Z0-9]/ {on = ($0 ~ "^(" keep ")==")} on' "$source/envs/$lock.lock"; done; }
without() { for lock in "${locks[@]}"; do awk -v drop="$1" '/^[a-zA-Z0-9]/ {on = ($0 !~ "^(" drop ")==")} on' "$source/envs/$lock.lock"; done; }
pip() { "$python" -m pip --quiet install --no-deps --no-compile "${from[@]}" "$@"; }
# One process, fixed hash order, and nothing imported from there before: the same bytecode every time.
# (What Python imports at its start it would itself compile, with a time inside, and -f goes over that.)
# A few files are for newer Pythons and do not compile.
bytecode() { "$python" -B -S -m compileall -f -qq --invalidation-mode unchecked-hash "$@" || true; }

packages() {
  export PYTHONDONTWRITEBYTECODE=1
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
  bytecode "$venv/lib/python3.11/site-packages"
  # where Apptainer and Docker look for the image's environment
  mkdir -p /.singularity.d/env
  echo 'export PATH="/opt/venv/bin:/usr/local/bin:/usr/bin:/bin" LC_ALL=C.UTF-8 PYTHONNOUSERSITE=1' \
    > /.singularity.d/env/90-environment.sh
}

image() {
  local built=()
  if [ "$role" != cpu ] && [ -z "${WITHOUT_FLASH_ATTN:-}" ]; then
    local wheel
    wheel="$(ls "$wheels"/flash_attn-*.whl 2>/dev/null | head -n 1)"
    if [ -z "$wheel" ]; then
      echo "install.sh: no flash_attn wheel in ${wheels:-WHEELS} -> run flash_attn.sh first, or set WITHOUT_FLASH_ATTN=1" >&2
      exit 2
    fi
    # this wheel was compiled from the locked source, so no lock knows its hash
    install_wheel "$wheel"
    built=(--flash-attn-wheel "$wheel" --architectures "$(cat "$wheels/flash_attn.architectures")")
  fi
  cp "$source/containers/selftest.py" /opt/selftest.py
  "$python" -B "$source/containers/describe.py" "$role" "$source" "${built[@]}" "${locks[@]}" > "$work/image.json"
  cp "$work/image.json" /opt/vlprm-image.json
}

# The image holds no pip; Debian's venv module makes one for the occasion.
install_wheel() {
  /usr/bin/python3 -m venv "$work/pip"
  "$work/pip/bin/python" -m pip --quiet --python "$python" install --no-deps --no-compile --no-index "$1"
  local site="$venv/lib/python3.11/site-packages"
  rm -f "$site"/flash_attn-*.dist-info/direct_url.json
  bytecode "$site"/flash_attn "$site"/flash_attn-*.dist-info
}

case "$step" in
  packages) packages ;;
  image) image ;;
  *) echo "install.sh: no step '$step' -> packages or image" >&2; exit 2 ;;
esac
