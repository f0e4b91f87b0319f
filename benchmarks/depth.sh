#!/usr/bin/env bash
# How deep to rerank: 200 queries over the sentences of KLUE-STS dev, and over 100,000 of the corpus.
set -euo pipefail
DATA=../shared/data
WORK=${1:-runs/depth-benchmark}
PRECISION=${PRECISION:---backend onnx --precision int8}
TRAIN="--train $DATA/klue-sts/train.csv --test $DATA/klue-sts/klue-sts-v1.1_dev.json
  --backbone ../shared/models/e5-small-ko --learning-rate 1e-4 --warmup 0.1 --batch-size 32
  --max-length 120 --epochs 1"

mkdir -p "$WORK"
kosim train bi $TRAIN --prompt "query: " --out "$WORK/bi"
kosim train cross $TRAIN --out "$WORK/cross"

# Sentences, one a line: those of dev, each once, and of them 200 queries.
python -m benchmarks.sentences $DATA/klue-sts/klue-sts-v1.1_dev.json > "$WORK/dev.txt"
shuf --random-source=<(yes 2026) -n 200 "$WORK/dev.txt" > "$WORK/queries.txt"
zcat $DATA/corpus/ko-sentences.txt.gz | head -n 100000 > "$WORK/corpus.txt"

kosim index build "$WORK/dev.txt" --encoder "$WORK/bi" --out "$WORK/dev.index" $PRECISION
kosim index build "$WORK/corpus.txt" --encoder "$WORK/bi" --out "$WORK/corpus.index" $PRECISION
