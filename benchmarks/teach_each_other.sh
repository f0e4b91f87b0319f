#!/usr/bin/env bash
# Both kinds before and after teaching each other, from one backbone: a bi-encoder of KLUE-STS, a
# cross-encoder that starts from its weights, pairs of the corpus with the mean of both as labels, and
# students of each kind that learn these and then KLUE-STS. None of them sees a sentence of KLUE-STS
# dev, of KorSTS dev or of ParaKQC's held-out intents, on which all are measured. Every step that was
# killed goes on when this is started again; a step that is done is skipped.
#
#   benchmarks/teach_each_other.sh              every step; WORK keeps what they make
#   STEPS="cross" ...                           some alone, such as each kind's on a core of its own
set -euo pipefail
DATA=${DATA:-../shared/data}
CORPUS=${CORPUS:-$DATA/corpus/ko-sentences.txt.gz}
BACKBONE=${BACKBONE:-../shared/models/e5-small-ko}
WORK=${WORK:-runs/teach-each-other}
STEPS=${STEPS:-before-bi before-cross silver bi cross compare retrieve}
# Of the teachers, and of the students of each kind.
SEED=${SEED:-1}
SEEDS=${SEEDS:-1,2,3}
BEFORE_EPOCHS=${BEFORE_EPOCHS:-5}
# Pairs that the teachers label, and minimal pairs and wordings of intents that are learnt with them.
SILVER=${SILVER:-20000}
MINIMAL=${MINIMAL:-4000}
INTENTS=${INTENTS:-2000}
# After the silver pairs, KLUE-STS for so many epochs.
AFTER_EPOCHS=${AFTER_EPOCHS:-3}
# All students start from the bi-encoder, which has learnt already: half the default rate.
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

before() { # kind, backbone
  done_already "$WORK/before/$1/kosim.json" || kosim train "$1" "${data[@]}" --backbone "$2" \
    --epochs "$BEFORE_EPOCHS" --seed "$SEED" --precision "$PRECISION" --out "$WORK/before/$1"
}

silver() {
  done_already "$WORK/silver.parquet" || python -m benchmarks.mini.lessons "$CORPUS" \
    --minimal "$MINIMAL" --intents "$DATA/parakqc/paraKQC_v1.txt" --intent-pairs "$INTENTS" \
    --silver "$SILVER" --teachers "$WORK/before/bi,$WORK/before/cross" --precision "$PRECISION" \
    --exclude "$KLUE" --exclude "$KORSTS" --exclude "$WORK/held-out.txt" --out "$WORK/silver.parquet"
}

students() { # kind, batch
  done_already "$WORK/$1/results.json" || kosim teach "$1" --silver "$WORK/silver.parquet" \
    --pairs 1000000 "${data[@]}" --backbone "$WORK/before/bi" --silver-epochs 1 \
    --epochs "$AFTER_EPOCHS" --learning-rate "$RATE" --warmup 0.1 --batch-size "$2" \
    --training-precision "$PRECISION" --seeds "$SEEDS" --out "$WORK/$1" --resume
}

retrieve() {
  first=${SEEDS%%,*}
  for which in before/bi:before/cross "bi/bi/seed-$first:cross/cross/seed-$first"; do
    out=$WORK/retrieval-${which%%/*}
    done_already "$out/results.json" || kosim evaluate-retrieval "${intents[@]}" \
      --queries-per-group 1 --candidates 20 --encoder "$WORK/${which%:*}" \
      --reranker "$WORK/${which#*:}" --precision "$PRECISION" --out "$out" --overwrite
  done
}

for step in $STEPS; do
  case $step in
    before-bi) before bi "$BACKBONE" ;;
    before-cross) before cross "$WORK/before/bi" ;;
    silver | retrieve) $step ;;
    bi) students bi 32 ;;
    cross) students cross 16 ;;
    compare) python -m benchmarks.taught_pair "$WORK" --klue "$KLUE" --korsts "$KORSTS" ;;
    *) echo "there is no step $step" >&2 && exit 2 ;;
  esac
done
