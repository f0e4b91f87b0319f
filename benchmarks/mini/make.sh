#!/usr/bin/env bash
# The bundled backbone `mini`, from a corpus and a teacher to the folder in the package.
# Every step that was killed goes on when this is started again; a step that is done is skipped.
set -euo pipefail
CORPUS=${CORPUS:-../shared/data/corpus/ko-sentences.txt.gz}
TEACHER=${TEACHER:-../shared/models/e5-small-ko}
WORK=${WORK:-runs/mini}
RTD_STEPS=${RTD_STEPS:-3000}
RTD_MORE_STEPS=${RTD_MORE_STEPS:-1200}
DISTILL_MINUTES=${DISTILL_MINUTES:-46}
RTD_DISTILL_MINUTES=${RTD_DISTILL_MINUTES:-32}
SHIPPED=${SHIPPED:-distilled}
# Of pretraining and teacher; fp32 where the processor has no instructions for bf16.
PRECISION=${PRECISION:-bf16}
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
  local student=$1 out=$2 minutes=$3
  shift 3
  step "$WORK/$out" kosim distill "$CORPUS" --teacher "$TEACHER" --teacher-prompt "query: " \
    --teacher-precision "$PRECISION" --precision "$PRECISION" --student "$WORK/$student" \
    --sentences 160000 --minutes "$minutes" --pairs 0.5 --batch-tokens 2048 --learning-rate 1e-3 \
    --cache "$WORK/teacher" --seed $SEED "$@"
}

mkdir -p "$WORK"
step "$WORK/tokenizer" kosim tokenizer train "$CORPUS" --kind wordpiece --vocab-size 14000
pretrain=(kosim pretrain "$CORPUS" --tokenizer "$WORK/tokenizer" --size mini --seed $SEED)
step "$WORK/random" "${pretrain[@]}" --sentences 200000 --steps 0 --embeddings drawn
step "$WORK/counted" "${pretrain[@]}" --steps 0
step "$WORK/rtd" "${pretrain[@]}" --sentences 200000 --steps "$RTD_STEPS" --batch-tokens 2048 \
  --learning-rate 5e-4 --precision "$PRECISION" --evaluations 12
# On, with a new generator: what the discriminator becomes. The starts below are of the step before.
step "$WORK/rtd-on" kosim pretrain "$CORPUS" --backbone "$WORK/rtd" --seed $SEED --sentences 200000 \
  --steps "$RTD_MORE_STEPS" --batch-tokens 2048 --learning-rate 5e-4 --precision "$PRECISION" \
  --evaluations 8
distill counted distilled "$DISTILL_MINUTES" --embeddings teacher
distill rtd rtd-distilled "$RTD_DISTILL_MINUTES"

python -m benchmarks.mini.starts --starts "$WORK" --out "$WORK/starts"
python -m benchmarks.mini.bundle --backbone "$WORK/$SHIPPED" --overwrite
python -m benchmarks.mini.bundle_encoders --runs "$WORK/starts" --start "$SHIPPED" --overwrite
python -m benchmarks.mini.bundle_exports
for experiment in "compare benchmarks/klue-sts-mini.toml --out benchmarks/results/klue-sts-mini" \
  "probe mini-bi mini-cross --out benchmarks/results/probe"; do
  kosim $experiment --overwrite
done
python -m benchmarks.mini.cards
python -m benchmarks.mini.speed --teacher "$TEACHER"
