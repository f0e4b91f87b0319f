#!/usr/bin/env bash
# Mining 10,000 sentences with the encoders of depth.sh, and its recall on a sample.
set -euo pipefail
WORK=${1:-runs/depth}
SAMPLE=${SAMPLE:-300}

OMP_NUM_THREADS=1 python -m benchmarks.mining ../shared/data/parakqc/paraKQC_v1.txt --text-at 2 \
  --encoder "$WORK/bi" --reranker "$WORK/cross" --rounds 2 --sample "$SAMPLE"
