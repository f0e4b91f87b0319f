#!/usr/bin/env bash
# Search over the 799,122 sentences of the corpus with a bi-encoder of two layers. Encoding them and
# writing the flat index took 49 minutes of one core with other work on it (2,575 s of processor
# time), at most 2,360 MiB of memory (mapped files included) and 1,334 MB on the disk.
set -euo pipefail
DATA=../shared/data
WORK=${1:-runs/search-scale}
TRAIN="--train $DATA/klue-sts/train.csv --test $DATA/klue-sts/klue-sts-v1.1_dev.json
  --backbone $WORK/shallow --learning-rate 2e-4 --warmup 0.1 --batch-size 32 --max-length 120
  --epochs 2"

mkdir -p "$WORK"
[ -d "$WORK/shallow" ] ||
  python -m benchmarks.shallow_backbone ../shared/models/e5-small-ko --layers 2 --out "$WORK/shallow"
[ -d "$WORK/bi" ] || kosim train bi $TRAIN --prompt "query: " --out "$WORK/bi"
[ -d "$WORK/corpus.index" ] ||
  kosim index build $DATA/corpus/ko-sentences.txt.gz --encoder "$WORK/bi" --type flat \
    --out "$WORK/corpus.index"

python -m benchmarks.search_scale "$WORK/corpus.index" --threads 1 --singles 300 --alternations 5 \
  --work "$WORK/types" --out benchmarks/results/search_scale-799k
