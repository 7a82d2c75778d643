#!/bin/sh
# usage: check_engine.sh WORK PYTHON CODE_FOLDER
# Lets the engine import what a run needs and try the GPU (engine/runtime/check_gpu.py). The last
# line is "ok JSON", or "failed" after what Python said.
set -u
umask 077
work=$1; python=$2; code=$3
cd -- "$work" || { echo failed; exit 0; }
# PCI_BUS_ID: the order in which nvidia-smi counts.
found=$(PYTHONPATH=$code CUDA_DEVICE_ORDER=PCI_BUS_ID \
    "$python" -m sovdeck.engine.runtime.check_gpu 2>&1 </dev/null) ||
    { echo "$found" | tail -n 3; echo failed; exit 0; }
echo "ok $(echo "$found" | tail -n 1)"
