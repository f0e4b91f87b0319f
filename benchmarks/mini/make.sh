#!/usr/bin/env bash
# The bundled backbone `mini`, from a corpus and a teacher to the folder in the package.
# Every step that was killed goes on when this is started again; a step that is done is skipped.
set -euo pipefail
CORPUS=${CORPUS:-../shared/data/corpus/ko-sentences.txt.gz}
TEACHER=${TEACHER:-../shared/models/e5-small-ko}
WORK=${WORK:-runs/mini}
RTD_EPOCHS=${RTD_EPOCHS:-4}
DISTILL_EPOCHS=${DISTILL_EPOCHS:-3}
SHIPPED=${SHIPPED:-rtd-distilled}
SEED=1

step() {
  local out=$1
  shift
  if [ -e "$out" ]; then
    echo "there already: $out"
    return
  fi
  local started=$SECONDS
  "$@" --out "$out"
  # Of the last start only, if the step was killed before.
  echo "$(date -u +%FT%TZ) $out $((SECONDS - started)) s" >> "$WORK/hours.txt"
}

distill() {
  step "$WORK/$2" kosim distill "$CORPUS" --teacher "$TEACHER" --teacher-prompt "query: " \
    --student "$WORK/$1" --epochs "$DISTILL_EPOCHS" --cache "$WORK/teacher" --seed $SEED
}

mkdir -p "$WORK"
step "$WORK/tokenizer" kosim tokenizer train "$CORPUS" --kind wordpiece --vocab-size 14000
step "$WORK/random" kosim pretrain "$CORPUS" --tokenizer "$WORK/tokenizer" --size mini \
  --steps 0 --embeddings drawn --seed $SEED
step "$WORK/rtd" kosim pretrain "$CORPUS" --tokenizer "$WORK/tokenizer" --size mini \
  --epochs "$RTD_EPOCHS" --seed $SEED
distill random distilled
distill rtd rtd-distilled

python -m benchmarks.mini.starts --starts "$WORK" --out "$WORK/starts"
python -m benchmarks.mini.bundle --backbone "$WORK/$SHIPPED" --overwrite
python -m benchmarks.mini.speed --teacher "$TEACHER"
