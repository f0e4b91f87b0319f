#!/usr/bin/env bash
# Retrieval on ParaKQC with 300 intents held out: no training pair holds a sentence of theirs.
set -euo pipefail
DATA=../shared/data
BACKBONE=../shared/models/e5-small-ko
WORK=${1:-runs/retrieval-parakqc}
HELD_OUT="--groups $DATA/parakqc/paraKQC_v1.txt --held-out-groups 300 --seed 2026"
TRAIN="--train $DATA/klue-sts/train.csv --test $DATA/klue-sts/klue-sts-v1.1_dev.json
  --exclude $WORK/held-out.txt --backbone $BACKBONE --learning-rate 1e-4 --warmup 0.1
  --batch-size 32 --max-length 120"

mkdir -p "$WORK"
kosim evaluate-retrieval $HELD_OUT --list-held-out > "$WORK/held-out.txt"
kosim train bi $TRAIN --prompt "query: " --epochs 1 --out "$WORK/bi"
kosim train cross $TRAIN --epochs 2 --out "$WORK/cross"
kosim evaluate-retrieval $HELD_OUT --queries-per-group 1 --candidates 10,20,50 \
  --encoder "$WORK/bi" --reranker "$WORK/cross" --out benchmarks/results/retrieval-parakqc --overwrite
