#!/bin/sh
# Stands where CUDA's compiler would stand (/usr/local/cuda/bin/nvcc) and compiles nothing. DeepSpeed
# asks `nvcc -V` for its release when it is imported beside a visible GPU; this answers with the
# release of the image's torch. See containers/README.md.
case "$1" in
  -V | --version)
    echo "vlprm stand-in for nvcc: no compiler, it answers for torch's CUDA"
    echo "Cuda compilation tools, release @RELEASE@, V@RELEASE@" ;;
  *)
    echo "nvcc: this image holds no CUDA compiler ($0 only answers -V), so nothing can be compiled for the GPU here" \
      "-> choose an optimizer that needs no DeepSpeed extension (torch's AdamW), or set CUDA_HOME to a CUDA toolkit" >&2
    exit 2 ;;
esac
