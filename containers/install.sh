#!/usr/bin/env bash
# Inside the image, after packages.sh: what is added last. flash-attn's wheel and a stand-in for nvcc
# (gpu), the environment, self-test and description.
#   install.sh ROLE SOURCE [WHEELS]
# SOURCE: the checkout, read-only; WHEELS: folder with flash-attn's wheel, as flash_attn.sh leaves it.
# WITHOUT_FLASH_ATTN=1 leaves flash-attn out; the image says so and its self-test refuses it unless
# told the same.
set -euo pipefail
role="$1" source="$2" wheels="${3:-}"
. "$source/containers/pins.env"
export SOURCE_DATE_EPOCH PYTHONHASHSEED=0 LC_ALL=C.UTF-8 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
export PYTHONDONTWRITEBYTECODE=1
venv=/opt/venv
python="$venv/bin/python"
site="$venv/lib/python3.11/site-packages"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
variables='PATH="/opt/venv/bin:/usr/local/bin:/usr/bin:/bin" LC_ALL=C.UTF-8 PYTHONNOUSERSITE=1'
built=()

# The image holds no pip; Debian's venv module makes one for the occasion. This wheel was compiled from
# the locked source, so no lock knows its hash.
flash_attention() {
  local wheel
  wheel="$(ls "$wheels"/flash_attn-*.whl 2>/dev/null | head -n 1)"
  if [ -z "$wheel" ]; then
    echo "install.sh: no flash_attn wheel in ${wheels:-WHEELS} -> run flash_attn.sh first, or set WITHOUT_FLASH_ATTN=1" >&2
    exit 2
  fi
  /usr/bin/python3 -m venv "$work/pip"
  "$work/pip/bin/python" -m pip --quiet --python "$python" install --no-deps --no-compile --no-index "$wheel"
  rm -f "$site"/flash_attn-*.dist-info/direct_url.json
  "$python" -B -S -m compileall -f -qq --invalidation-mode unchecked-hash "$site"/flash_attn "$site"/flash_attn-*.dist-info || true
  built=(--flash-attn-wheel "$wheel" --architectures "$(cat "$wheels/flash_attn.architectures")"
    --kernels "$(cat "$wheels/flash_attn.kernels")")
}

# Where torch looks for CUDA when no variable names it, so that it is found by every way in.
stand_in_nvcc() {
  local release
  release="$(sed -nE "s/^cuda[^=]*= '([0-9.]+)'.*/\1/p" "$site/torch/version.py")"
  [ -n "$release" ] || { echo "install.sh: $site/torch/version.py names no CUDA release" >&2; exit 2; }
  mkdir -p /usr/local/cuda/bin
  sed "s/@RELEASE@/$release/g" "$source/containers/nvcc.sh" > /usr/local/cuda/bin/nvcc
  chmod 755 /usr/local/cuda/bin/nvcc
}

case "$role" in
  cpu) locks=(cpu torch-cpu) ;;
  gpu)
    locks=(gpu)
    variables="$variables CUDA_HOME=/usr/local/cuda"
    stand_in_nvcc
    [ -n "${WITHOUT_FLASH_ATTN:-}" ] || flash_attention ;;
  *) echo "install.sh: no role '$role' -> cpu or gpu" >&2; exit 2 ;;
esac
# where Apptainer looks for the image's environment
mkdir -p /.singularity.d/env
echo "export $variables" > /.singularity.d/env/90-environment.sh
cp "$source"/containers/selftest*.py /opt/
"$python" -B "$source/containers/describe.py" "$role" "$source" "${built[@]}" "${locks[@]}" > "$work/image.json"
cp "$work/image.json" /opt/vlprm-image.json
