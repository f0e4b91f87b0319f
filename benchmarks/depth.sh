#!/usr/bin/env bash
# How deep to rerank: 200 sentences of KLUE-STS dev as queries, over all of dev's sentences and over
# 100,000 of the corpus. BI and CROSS name other encoders than the bundled ones. What is there already
# is not made again; the second report of a corpus, by the mean of both scores, takes the scores of the
# first.
set -euo pipefail
DATA=../shared/data
WORK=${1:-runs/depth}
BI=${BI:-mini-bi}
CROSS=${CROSS:-mini-cross}
DEPTH="--candidates 1,5,10,20,30,50,75,100,200,300 --sample-top 300"

mkdir -p "$WORK"
python -m benchmarks.sentences $DATA/klue-sts/klue-sts-v1.1_dev.json > "$WORK/klue-dev.txt"
shuf --random-source=<(yes 2026) -n 200 "$WORK/klue-dev.txt" > "$WORK/queries.txt"
zcat $DATA/corpus/ko-sentences.txt.gz | head -n 100000 > "$WORK/corpus-100k.txt" || true  # zcat ends early

depth() { # corpus, documents beyond the first 300 that are scored for each query
  [ -d "$WORK/$1.index" ] ||
    kosim index build "$WORK/$1.txt" --encoder "$BI" --precision int8 --out "$WORK/$1.index"
  local out="benchmarks/results/depth-$1"
  local common="$WORK/$1.index --reranker $CROSS --precision int8 --queries $WORK/queries.txt
    $DEPTH --exhaustive-sample $2"
  kosim depth $common --fit-queries 150 --fit-depth 100 --out "$out" --overwrite
  mkdir -p "$out-mean" && cp "$out"/scores.* "$out-mean"
  kosim depth $common --interpolation 0.5 --out "$out-mean"
}
depth klue-dev 200
depth corpus-100k 100
