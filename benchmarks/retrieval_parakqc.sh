#!/usr/bin/env bash
# Retrieval on ParaKQC with 300 intents held out: no training pair holds a sentence of theirs.
# BACKBONE names another start than the bundled one; RECIPE holds settings other than the defaults.
set -euo pipefail
DATA=../shared/data
BACKBONE=${BACKBONE:-mini}
WORK=${1:-runs/retrieval-parakqc}
HELD_OUT="--groups $DATA/parakqc/paraKQC_v1.txt --held-out-groups 300 --seed 2026"
TRAIN="--train $DATA/klue-sts/train.csv --test $DATA/klue-sts/klue-sts-v1.1_dev.json
  --exclude $WORK/held-out.txt --backbone $BACKBONE ${RECIPE:-}"

mkdir -p "$WORK"
kosim evaluate-retrieval $HELD_OUT --list-held-out > "$WORK/held-out.txt"
for kind in bi cross; do
  [ -d "$WORK/$kind" ] || kosim train "$kind" $TRAIN --out "$WORK/$kind"
done
kosim evaluate-retrieval $HELD_OUT --queries-per-group 1 --candidates 10,20,50 \
  --encoder "$WORK/bi" --reranker "$WORK/cross" --out benchmarks/results/retrieval-parakqc --overwrite
