#!/usr/bin/env bash
# The bundled encoders: `mini` fine-tuned on KLUE-STS, and then taught minimal pairs mixed with
# KLUE-STS, and pairs that teachers labelled where there are any. Every step that was killed goes on
# when this is started again; a step that is done is skipped. Further options go to `kosim teach`:
#
#   benchmarks/mini/taught.sh --seeds 1,2,3
#   KINDS=bi ...                          one kind alone, to train both side by side
#   BI_START=FOLDER CROSS_START=FOLDER    encoders to start from, instead of new ones
#   TEACHER=FOLDER SILVER=0               another backbone for the teacher; no teacher at all
#   ... --baseline                        also students of KLUE-STS alone, to compare with
#   RERANKING=1 WORK=runs/mini-clean ...  without ParaKQC's held-out intents, and what they find
#   INSTALL=1 ...                         puts what came of it into the package, with its results
set -euo pipefail
DATA=${DATA:-../shared/data}
CORPUS=${CORPUS:-$DATA/corpus/ko-sentences.txt.gz}
WORK=${WORK:-runs/mini-taught}
KINDS=${KINDS:-bi cross}
MINIMAL=${MINIMAL:-10000}
# Pairs of wordings of ParaKQC, of those intents that are not held out.
INTENTS=${INTENTS:-4000}
# Pairs of the corpus that the teacher labels: a bi-encoder of e5-small-ko, fine-tuned on KLUE-STS.
SILVER=${SILVER:-8000}
TEACHER=${TEACHER:-../shared/models/e5-small-ko}
TEACHER_EPOCHS=${TEACHER_EPOCHS:-4}
EPOCHS=${EPOCHS:-3}
BI_RATE=${BI_RATE:-1e-4}
CROSS_RATE=${CROSS_RATE:-2e-4}
# Whether gold pairs come after the others, or with them: mixed, or silver-then-gold.
ORDER=${ORDER:-mixed}
# Share of the taught weights in the mean with those from which they started.
SHARE=${SHARE:-0.667}
RERANKING=${RERANKING:-}
# fp32 where the processor has no instructions for bf16.
PRECISION=${PRECISION:-bf16}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
DEV=$DATA/klue-sts/klue-sts-v1.1_dev.json

done_already() {
  [ -e "$1" ] && echo "there already: $1"
}

mkdir -p "$WORK"
held_out=()
intents=(--groups "$DATA/parakqc/paraKQC_v1.txt" --held-out-groups 300 --seed 2026)
if [ -n "$RERANKING" ]; then
  kosim evaluate-retrieval "${intents[@]}" --list-held-out > "$WORK/held-out.txt"
  held_out=(--exclude "$WORK/held-out.txt")
fi
data=(--train "$DATA/klue-sts/train.csv" --test "$DEV" "${held_out[@]}" --max-length 128)
if [ "$SILVER" != 0 ]; then
  done_already "$WORK/teacher/kosim.json" ||
    kosim train bi --backbone "$TEACHER" "${data[@]}" --epochs "$TEACHER_EPOCHS" --warmup 0.1 \
      --precision "$PRECISION" --out "$WORK/teacher"
fi
done_already "$WORK/lessons.parquet" || python -m benchmarks.mini.lessons "$CORPUS" \
  --minimal "$MINIMAL" --intents "$DATA/parakqc/paraKQC_v1.txt" --intent-pairs "$INTENTS" \
  --silver "$SILVER" --teachers "$WORK/teacher" --precision "$PRECISION" \
  --exclude "$DEV" --exclude "$DATA/korsts/sts-dev.tsv" "${held_out[@]}" \
  --out "$WORK/lessons.parquet"
for kind in $KINDS; do
  done_already "$WORK/$kind/results.json" && continue
  [ $kind = bi ] && from=${BI_START:-} rate=$BI_RATE batch=32
  [ $kind = cross ] && from=${CROSS_START:-} rate=$CROSS_RATE batch=16
  if [ -z "$from" ]; then
    from=$WORK/gold/$kind
    done_already "$from/kosim.json" ||
      kosim train $kind --backbone mini "${data[@]}" --precision "$PRECISION" --out "$from"
  fi
  kosim teach $kind --silver "$WORK/lessons.parquet" --pairs 1000000 --order "$ORDER" "${data[@]}" \
    --backbone "$from" --epochs "$EPOCHS" --learning-rate "$rate" \
    --warmup 0.1 --weight-decay 0.01 --batch-size $batch --training-precision "$PRECISION" \
    --out "$WORK/$kind" --resume "$@"
done
[ -e "$WORK/bi/results.json" ] && [ -e "$WORK/cross/results.json" ] || exit 0
bundle=(python -m benchmarks.mini.bundle_encoders --runs "$WORK" --share "$SHARE"
  --train "$DATA/klue-sts/train.csv" --test "$DEV" "${held_out[@]}" --overwrite)
done_already "$WORK/bundled.json" || "${bundle[@]}" \
  --out "$WORK/bundled" --record "$WORK/bundled.json"

# Before and after: KLUE-STS dev, KorSTS dev, and the items of `kosim probe`.
new=$WORK/bundled
done_already "$WORK/probe/results.json" || kosim probe mini-bi mini-cross "$new/mini-bi" \
  "$new/mini-cross" --out "$WORK/probe" --overwrite
for test in "klue $DEV" "korsts $DATA/korsts/sts-dev.tsv"; do
  read -r name file <<< "$test"
  {
    printf 'name = "%s"\n[data]\ntest = "%s"\n[evaluation]\nexamples = 0\n' "$name" "$file"
    for kind in bi cross; do
      printf '[encoders.%s]\nkind = "%s"\nartifact = "%s"\n' "$kind" $kind "mini-$kind" \
        "$kind-taught" $kind "$new/mini-$kind"
    done
  } > "$WORK/$name.toml"
  done_already "$WORK/$name/results.json" ||
    kosim compare "$WORK/$name.toml" --out "$WORK/$name" --overwrite
done
if [ -n "$RERANKING" ]; then
  for both in "$WORK/gold/" "$new/mini-"; do
    out=$WORK/retrieval-$(basename "$(dirname "${both}x")")
    done_already "$out/results.json" || kosim evaluate-retrieval "${intents[@]}" \
      --queries-per-group 1 --candidates 10,20,50 --encoder "${both}bi" --reranker "${both}cross" \
      --out "$out" --overwrite
  done
fi

if [ -n "${INSTALL:-}" ]; then
  "${bundle[@]}"
  python -m benchmarks.mini.bundle_exports
  kosim compare benchmarks/klue-sts-mini.toml --out benchmarks/results/klue-sts-mini --overwrite
  kosim probe mini-bi mini-cross --out benchmarks/results/probe --overwrite
  python -m benchmarks.mini.cards
fi
