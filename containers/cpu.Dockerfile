# syntax=docker/dockerfile:1
# The cpu image, for Docker (BuildKit) and buildah: containers/build docker cpu. No package of ours is
# inside: the checkout is mounted. What is installed is in containers/debian-cpu.lock, envs/cpu.lock
# and envs/torch-cpu.lock; the steps are the scripts that every other way of building runs too.
ARG BASE_IMAGE=debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171
FROM ${BASE_IMAGE}
# where pip finds PyTorch's CPU build, if not in the default index; never kept in the image
ARG PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS DEBIAN_MIRROR
RUN --mount=type=bind,source=.,target=/mnt bash /mnt/containers/debian.sh cpu /mnt
RUN --mount=type=bind,source=.,target=/mnt bash /mnt/containers/packages.sh cpu /mnt
RUN --mount=type=bind,source=.,target=/mnt bash /mnt/containers/install.sh cpu /mnt
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8 PYTHONNOUSERSITE=1
RUN python -B /opt/selftest.py
