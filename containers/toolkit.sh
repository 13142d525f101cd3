#!/usr/bin/env bash
# Lay out CUDA's compiler in FOLDER: programs of one Debian package (sha256 in pins.env), headers and
# the runtime library of NVIDIA's wheels, as envs/flash-attn.lock names them.
#   toolkit.sh FOLDER HEADERS TORCH
#   HEADERS: where those wheels are installed; TORCH: site-packages with torch's own NVIDIA wheels
# Runs as root on any Debian: it reads the package from a list of its own and installs nothing.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cuda="$1" headers="$2/nvidia" torch="$3/nvidia"
. "$here/pins.env"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

mirror="${DEBIAN_MIRROR:-$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/*.sources 2>/dev/null ||
  true)}"
[ -n "$mirror" ] || mirror="$(awk '/^deb / {for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) {print $i; exit}}' /etc/apt/sources.list.d/*.list)"
mkdir -p "$work"/{lists/partial,cache/archives/partial}
: > "$work/status"
echo "deb [check-valid-until=no signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $CUDA_SUITE non-free" > "$work/sources.list"
apt=(-o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State=$work"
  -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
apt-get -qq "${apt[@]}" update
(cd "$work" && apt-get -qq "${apt[@]}" download "$CUDA_PACKAGE=$CUDA_VERSION")
echo "$CUDA_SHA256 $(ls "$work"/*.deb)" | sha256sum --check --quiet
dpkg-deb -x "$work"/*.deb "$work/package"

rm -rf "$cuda"
mkdir -p "$cuda"/{bin/crt,nvvm/bin,nvvm/libdevice,include,lib64}
programs="$work/package/usr/bin" inner="$work/package/usr/lib/nvidia-cuda-toolkit"
for name in bin2c cudafe++ cuobjdump fatbinary nvlink nvprune ptxas; do cp -p "$programs/$name" "$cuda/bin/"; done
cp -p "$inner/bin/nvcc" "$cuda/bin/"
cp -p "$inner/bin/crt/"* "$cuda/bin/crt/"
cp -p "$inner/bin/cicc" "$cuda/nvvm/bin/"
cp -p "$inner/libdevice/"* "$cuda/nvvm/libdevice/"
for wheel in cuda_nvcc cuda_runtime cuda_cccl; do cp -r "$headers/$wheel/include/." "$cuda/include/"; done
# torch's headers include those of its own CUDA libraries
for wheel in cublas cusparse cusolver; do cp -rn "$torch/$wheel/include/." "$cuda/include/"; done
cp "$headers/cuda_runtime/lib/libcudart.so.12" "$cuda/lib64/"
ln -s libcudart.so.12 "$cuda/lib64/libcudart.so"
cat > "$cuda/bin/nvcc.profile" <<'PROFILE'
TOP              = $(_HERE_)/..
CICC_PATH        = $(TOP)/nvvm/bin
NVVMIR_LIBRARY_DIR = $(TOP)/nvvm/libdevice
PATH            += $(CICC_PATH):$(_HERE_):
INCLUDES        += "-I$(TOP)/include" $(_SPACE_)
LIBRARIES        =+ $(_SPACE_) "-L$(TOP)/lib64"
PROFILE
"$cuda/bin/nvcc" --version | tail -n 2
