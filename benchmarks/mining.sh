#!/usr/bin/env bash
# Mining 10,000 sentences with the encoders of depth.sh; then its recall on 1,000 of them, in int8,
# which halves the hours of scoring their 499,500 pairs. Scores are kept: a killed run goes on.
set -euo pipefail
WORK=${1:-runs/depth}
MINING=(python -m benchmarks.mining ../shared/data/parakqc/paraKQC_v1.txt --text-at 2
  --encoder "$WORK/bi" --reranker "$WORK/cross")
export OMP_NUM_THREADS=1

"${MINING[@]}" --rounds 2 --sample 300 --work "$WORK/mining-300"
"${MINING[@]}" --rounds 2 --sample 1000 --precision int8 --work "$WORK/mining-1000" --out mining-1000
