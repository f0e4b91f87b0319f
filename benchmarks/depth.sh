#!/usr/bin/env bash
# How deep to rerank: 200 sentences of KLUE-STS dev as queries, over all of dev's sentences and over
# 100,000 of the corpus. What is there already is not made again.
set -euo pipefail
DATA=../shared/data
WORK=${1:-runs/depth}
TRAIN="--train $DATA/klue-sts/train.csv --test $DATA/klue-sts/klue-sts-v1.1_dev.json
  --backbone ../shared/models/e5-small-ko --learning-rate 1e-4 --warmup 0.1 --batch-size 32
  --max-length 120 --epochs 1"
DEPTH="--sample-top 100 --fit-queries 150 --fit-depth 100"

mkdir -p "$WORK"
[ -d "$WORK/bi" ] || kosim train bi $TRAIN --prompt "query: " --out "$WORK/bi"
[ -d "$WORK/cross" ] || kosim train cross $TRAIN --out "$WORK/cross"

python -m benchmarks.sentences $DATA/klue-sts/klue-sts-v1.1_dev.json > "$WORK/klue-dev.txt"
shuf --random-source=<(yes 2026) -n 200 "$WORK/klue-dev.txt" > "$WORK/queries.txt"
zcat $DATA/corpus/ko-sentences.txt.gz | head -n 100000 > "$WORK/corpus-100k.txt"

depth() { # corpus, documents beyond the first 100 that are scored for each query
  [ -d "$WORK/$1.index" ] ||
    kosim index build "$WORK/$1.txt" --encoder "$WORK/bi" --out "$WORK/$1.index"
  kosim depth "$WORK/$1.index" --reranker "$WORK/cross" --queries "$WORK/queries.txt" $DEPTH \
    --exhaustive-sample "$2" --out "benchmarks/results/depth-$1"
}
depth klue-dev 200
depth corpus-100k 100
