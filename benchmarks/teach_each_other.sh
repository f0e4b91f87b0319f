#!/usr/bin/env bash
# Both kinds before and after teaching each other, from one backbone: a bi-encoder of KLUE-STS, a
# cross-encoder that starts from its weights, pairs of the corpus that the mean of both labels, and a
# student of each kind that learns them and then KLUE-STS. None of them sees a sentence of KLUE-STS
# dev, of KorSTS dev or of ParaKQC's held-out intents, on which all are measured. Every step that was
# killed goes on when this is started again; a step that is done is skipped.
#
#   SEED=2 benchmarks/teach_each_other.sh       one seed; WORK keeps what it makes
#   STEPS="bi cross" ...                        some steps alone, such as each student on a core of its own
set -euo pipefail
DATA=${DATA:-../shared/data}
CORPUS=${CORPUS:-$DATA/corpus/ko-sentences.txt.gz}
BACKBONE=${BACKBONE:-../shared/models/e5-small-ko}
SEED=${SEED:-1}
WORK=${WORK:-runs/teach-each-other/seed-$SEED}
STEPS=${STEPS:-before silver bi cross measure}
BEFORE_EPOCHS=${BEFORE_EPOCHS:-5}
# Pairs that the teachers label, and minimal pairs and wordings of intents that are learnt with them.
SILVER=${SILVER:-20000}
MINIMAL=${MINIMAL:-4000}
INTENTS=${INTENTS:-2000}
# After the silver pairs, KLUE-STS for so many epochs.
AFTER_EPOCHS=${AFTER_EPOCHS:-3}
# Both students start from the bi-encoder, which has learnt already: half the default rate.
RATE=${RATE:-5e-5}
# fp32 where the processor has no instructions for bf16.
PRECISION=${PRECISION:-bf16}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
KLUE=$DATA/klue-sts/klue-sts-v1.1_dev.json
KORSTS=$DATA/korsts/sts-dev.tsv

done_already() {
  [ -e "$1" ] && echo "there already: $1"
}

mkdir -p "$WORK"
intents=(--groups "$DATA/parakqc/paraKQC_v1.txt" --held-out-groups 300 --seed 2026)
[ -s "$WORK/held-out.txt" ] ||
  kosim evaluate-retrieval "${intents[@]}" --list-held-out > "$WORK/held-out.txt"
data=(--train "$DATA/klue-sts/train.csv" --test "$KLUE" --exclude "$WORK/held-out.txt"
  --max-length 128)

before() {
  done_already "$WORK/before/bi/kosim.json" || kosim train bi "${data[@]}" --backbone "$BACKBONE" \
    --epochs "$BEFORE_EPOCHS" --seed "$SEED" --precision "$PRECISION" --out "$WORK/before/bi"
  done_already "$WORK/before/cross/kosim.json" || kosim train cross "${data[@]}" \
    --backbone "$WORK/before/bi" --epochs "$BEFORE_EPOCHS" --seed "$SEED" \
    --precision "$PRECISION" --out "$WORK/before/cross"
}

silver() {
  done_already "$WORK/silver.parquet" || python -m benchmarks.mini.lessons "$CORPUS" \
    --minimal "$MINIMAL" --intents "$DATA/parakqc/paraKQC_v1.txt" --intent-pairs "$INTENTS" \
    --silver "$SILVER" --teachers "$WORK/before/bi,$WORK/before/cross" --precision "$PRECISION" \
    --exclude "$KLUE" --exclude "$KORSTS" --exclude "$WORK/held-out.txt" --seed "$SEED" \
    --out "$WORK/silver.parquet"
}

student() { # kind, batch
  done_already "$WORK/after/$1/results.json" || kosim teach "$1" --silver "$WORK/silver.parquet" \
    --pairs 1000000 "${data[@]}" --backbone "$WORK/before/bi" --silver-epochs 1 \
    --epochs "$AFTER_EPOCHS" --learning-rate "$RATE" --warmup 0.1 --batch-size "$2" \
    --training-precision "$PRECISION" --seeds "$SEED" --out "$WORK/after/$1" --resume
}

measure() {
  for test in "klue $KLUE" "korsts $KORSTS"; do
    read -r name file <<< "$test"
    {
      printf 'name = "%s"\n[data]\ntest = "%s"\n[evaluation]\nexamples = 0\n' "$name" "$file"
      for kind in bi cross; do
        printf '[encoders.%s]\nkind = "%s"\nartifact = "%s"\n' "$kind" $kind \
          "$WORK/before/$kind" "$kind-taught" $kind "$WORK/after/$kind/$kind/seed-$SEED"
      done
    } > "$WORK/$name.toml"
    done_already "$WORK/$name/results.json" ||
      kosim compare "$WORK/$name.toml" --out "$WORK/$name" --overwrite
  done
  for which in before/bi:before/cross "after/bi/bi/seed-$SEED:after/cross/cross/seed-$SEED"; do
    out=$WORK/retrieval-${which%%/*}
    done_already "$out/results.json" || kosim evaluate-retrieval "${intents[@]}" \
      --queries-per-group 1 --candidates 20 --encoder "$WORK/${which%:*}" \
      --reranker "$WORK/${which#*:}" --precision "$PRECISION" --out "$out" --overwrite
  done
}

for step in $STEPS; do
  case $step in
    before | silver | measure) $step ;;
    bi) student bi 32 ;;
    cross) student cross 16 ;;
    *) echo "there is no step $step" >&2 && exit 2 ;;
  esac
done
