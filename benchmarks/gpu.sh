#!/usr/bin/env bash
# On a machine with an NVIDIA GPU and its driver: the parity tests and the rigid benchmark on it, and what they ran on.
#
#     IGRT_DATA=FOLDER benchmarks/gpu.sh [cuda12|cuda13]
#
# Writes docs/benchmarks/cuda-measured.md. Without a GPU it says so, measures nothing and exits with 3.
set -euo pipefail
cd "$(dirname "$0")/.."
toolkit=${1:-cuda12}

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi --query-gpu=name --format=csv,noheader >/dev/null 2>&1; then
  echo "not measured: this machine has no NVIDIA GPU (nvidia-smi lists none)" >&2
  exit 3
fi
make install-dev
.venv/bin/python -m pip install --quiet --no-build-isolation --constraint constraints.txt --editable ".[$toolkit]"
.venv/bin/python -c 'from igrt.compute import device; chosen = device.choose("cuda"); print(chosen.name, "-", chosen.why)'
.venv/bin/python -m pytest tests/parity -k "cuda and not emulated" -rs
page=docs/benchmarks/cuda-measured.md
{
  echo "# Rigid match on a GPU, measured"
  echo
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv
  echo
  .venv/bin/python benchmarks/rigid.py --device cuda --repeats 10
} >"$page.part"
mv "$page.part" "$page"
echo "wrote $page"
