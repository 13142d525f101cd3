# syntax=docker/dockerfile:1
# The GPU image (vLLM 0.10.1.1, DeepSpeed 0.16.4), for Docker (BuildKit) and buildah:
# containers/build docker gpu. No package of ours is inside: the checkout is mounted. What is installed
# is in containers/debian-gpu.lock and envs/gpu.lock; flash-attn is compiled in a stage of its own.
ARG BASE_IMAGE=debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171
FROM ${BASE_IMAGE} AS flash-attn
ARG PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS DEBIAN_MIRROR
# compute capabilities (80: A100, 90: H100 and H200), and files compiled at a time (6 GB each)
ARG FLASH_ATTN_CUDA_ARCHS="80;90"
ARG MAX_JOBS=2
# kernels of flash-attn: all, or dtype and head widths
ARG FLASH_ATTN_KERNELS="bf16:32,96,128"
# 1 leaves flash-attn out; the image says so, and its self-test refuses it unless told the same
ARG WITHOUT_FLASH_ATTN=
RUN --mount=type=bind,source=.,target=/mnt bash /mnt/containers/debian.sh build /mnt
RUN --mount=type=bind,source=.,target=/mnt mkdir -p /wheels \
    && if [ -z "${WITHOUT_FLASH_ATTN}" ]; then bash /mnt/containers/flash_attn.sh /mnt /wheels; fi

FROM ${BASE_IMAGE}
ARG PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS DEBIAN_MIRROR
ARG WITHOUT_FLASH_ATTN=
RUN --mount=type=bind,source=.,target=/mnt bash /mnt/containers/debian.sh gpu /mnt
RUN --mount=type=bind,source=.,target=/mnt bash /mnt/containers/packages.sh gpu /mnt
RUN --mount=type=bind,source=.,target=/mnt --mount=type=bind,from=flash-attn,source=/wheels,target=/wheels \
    bash /mnt/containers/install.sh gpu /mnt /wheels
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8 PYTHONNOUSERSITE=1 CUDA_HOME=/usr/local/cuda
RUN python -B /opt/selftest.py ${WITHOUT_FLASH_ATTN:+--without-flash-attn}
