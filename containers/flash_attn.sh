#!/usr/bin/env bash
# Compile flash-attn from its hashed source: the build stage of the gpu image.
#   flash_attn.sh SOURCE OUT [WHEELS]
#   SOURCE: the checkout, read-only; OUT: folder for the wheel; WHEELS: folder to install from instead
#   of the package index
# State stays in /var/tmp/vlprm-build (one path everywhere: paths enter the object files), so that a
# killed run goes on with the next file. Needs gcc, g++, python3-dev and python3-venv; an hour or more.
set -euo pipefail
source="$1" out="$2" wheels="${3:-}"
. "$source/containers/pins.env"
state=/var/tmp/vlprm-build
envs="$source/envs"
mkdir -p "$state/tmp" "$out"
export TMPDIR="$state/tmp" LC_ALL=C.UTF-8 PYTHONHASHSEED=0 SOURCE_DATE_EPOCH PIP_DISABLE_PIP_VERSION_CHECK=1
from=()
[ -z "$wheels" ] || from=(--no-index --find-links "$wheels")
# The requirements of a lock whose names match PATTERN, with their hashes.
only() { awk -v keep="$2" '/^[a-zA-Z0-9]/ {on = ($0 ~ "^(" keep ")==")} on' "$envs/$1"; }

torch='torch|nvidia-.*|triton|numpy|sympy|mpmath|networkx|jinja2|markupsafe|filelock|fsspec|typing-extensions'
if [ ! -e "$state/fa-venv/.complete" ]; then
  rm -rf "$state/fa-venv" "$state/cuda-headers"
  /usr/bin/python3.11 -m venv "$state/fa-venv"
  pip() { "$state/fa-venv/bin/python" -m pip --quiet "$@"; }
  only gpu.lock "$torch" > "$state/torch.lock"
  only flash-attn.lock 'nvidia-.*' > "$state/headers.lock"
  only flash-attn.lock 'ninja|packaging|psutil|setuptools|wheel' > "$state/tools.lock"
  pip install --no-deps --require-hashes "${from[@]}" -r "$state/torch.lock" -r "$state/tools.lock"
  pip install --no-deps --require-hashes "${from[@]}" -r "$state/headers.lock" --target "$state/cuda-headers"
  bash "$source/containers/toolkit.sh" "$state/cuda" "$state/cuda-headers" "$("$state/fa-venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
  touch "$state/fa-venv/.complete"
fi

export PATH="$state/fa-venv/bin:/usr/bin:/bin" CUDA_HOME="$state/cuda" CC=/usr/bin/gcc CXX=/usr/bin/g++
export FLASH_ATTENTION_FORCE_BUILD=TRUE FLASH_ATTN_CUDA_ARCHS MAX_JOBS NVCC_THREADS=1
if [ ! -e "$state/flash-attn/setup.py" ]; then
  only gpu.lock flash-attn > "$state/flash-attn.lock"
  FLASH_ATTENTION_SKIP_CUDA_BUILD=TRUE python -m pip --quiet download --no-deps --require-hashes \
    --no-build-isolation --no-binary flash-attn "${from[@]}" -r "$state/flash-attn.lock" -d "$state/sdist"
  mkdir -p "$state/flash-attn"
  tar -xzf "$state"/sdist/flash_attn-*.tar.gz -C "$state/flash-attn" --strip-components=1
fi
python "$source/containers/flash_attn_kernels.py" "$state/flash-attn" "$FLASH_ATTN_KERNELS"
echo "flash-attn: architectures $FLASH_ATTN_CUDA_ARCHS, $MAX_JOBS files at a time"
# nvcc puts the names of its intermediate files and its process id into the object's symbols, and a file
# compiled twice would differ. So: names that depend on the object file, and, where the kernel lets us
# (root, or user namespaces), a process namespace for each call, in which the ids are always the same.
# Within a call, the steps of several threads would draw their ids in any order: one thread.
export NVCC_APPEND_FLAGS="--objdir-as-tempdir" NVCC_THREADS=1
if unshare --pid --fork true 2> /dev/null; then
  export PYTORCH_NVCC="unshare --pid --fork --kill-child $CUDA_HOME/bin/nvcc"
else
  echo "flash-attn: no process namespaces here, so the wheel's hash will differ from build to build"
fi
cd "$state/flash-attn"
python setup.py -q bdist_wheel > "$state/flash-attn.log" 2>&1 || { tail -n 30 "$state/flash-attn.log" >&2; exit 1; }
cp dist/flash_attn-*.whl "$out/"
echo "$FLASH_ATTN_CUDA_ARCHS" > "$out/flash_attn.architectures"
echo "$FLASH_ATTN_KERNELS" > "$out/flash_attn.kernels"
sha256sum "$out"/flash_attn-*.whl
