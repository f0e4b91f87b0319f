"""What the documented KoELECTRA recipes cost, measured without the pretrained weights.

Writes a discriminator of KoELECTRA-base-v3's size and layout with random weights into a stand-in
for the hub's cache, once with a pickled file alone, as the hub has it, and once with safetensors.
``kosim`` opens it by its hub id, offline, and trains a few steps of the documented recipe: the time
of a step and the memory do not depend on what the weights say. The vocabulary is learnt from the
training sentences and filled up to 35,000 pieces; inputs are not exactly as long as with the real
one, and the table says how long they were.

    python -m benchmarks.training.koelectra_cost --klue ../shared/data/klue-sts
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import torch
from transformers import ElectraConfig, ElectraForPreTraining

from kosim.encoders.backbone import KOELECTRA
from kosim.encoders.storage import write_json, write_text
from kosim.encoders.tokenizers.wordpiece import learn_wordpiece
from kosim.encoders.training.timing import measure_training
from kosim.experiments.comparison.contenders import make_encoder
from kosim.experiments.data.partition import load_training
from kosim.experiments.settings import (
    CompareSettings,
    DataSettings,
    read_settings,
)
from kosim.experiments.study.environment import describe_environment, processor_of

RESULTS = Path(__file__).parents[1] / "results" / "training"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PIECES = 35_000
RECIPES = {"klue-koelectra-base": 10, "klue-koelectra-best": 20}
WEIGHTS = ("pytorch_model.bin", "model.safetensors")
BODY = 85_000_000
"""Weights without the embeddings: 12 layers of 768 with 3,072 inside."""
GPU = {"name": "NVIDIA T4", "fp16_tflops": 65, "share": 0.3}
"""The data sheet's peak, and the share of it that a training of this size is taken to reach."""


def write_vocabulary(sentences: Sequence[str], folder: Path) -> None:
    """Write a vocabulary of exactly ``PIECES`` pieces; what is not learnt is a filler."""
    numbers = learn_wordpiece(set(sentences), PIECES).get_vocab()
    vocabulary = sorted(numbers, key=numbers.__getitem__)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    learnt = [piece for piece in vocabulary if piece not in special][: PIECES - len(special)]
    fillers = [f"[unused{number}]" for number in range(PIECES - len(special) - len(learnt))]
    lines = [*special, *learnt, *fillers]
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": False, "model_max_length": 512}), encoding="utf-8"
    )


def write_weights(folder: Path, weights: str) -> None:
    """Write KoELECTRA-base-v3's layout with random weights."""
    torch.manual_seed(0)
    model = ElectraForPreTraining(
        ElectraConfig(
            vocab_size=PIECES,
            embedding_size=768,
            hidden_size=768,
            num_hidden_layers=12,
            num_attention_heads=12,
            intermediate_size=3072,
            max_position_embeddings=512,
            pad_token_id=0,
        )
    )
    model.save_pretrained(folder)
    if weights == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
        positions = torch.arange(512).unsqueeze(0)  # old checkpoints hold them
        state = {**model.state_dict(), "electra.embeddings.position_ids": positions}
        torch.save(state, folder / weights)


def write_cache(cache: Path, weights: str, sentences: Sequence[str]) -> None:
    """Lay the stand-in out as the hub's cache does: a snapshot and a ref."""
    model = cache / f"models--{KOELECTRA.replace('/', '--')}"
    snapshot = model / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    write_weights(snapshot, weights)
    write_vocabulary(sentences, snapshot)


def measure(kind: str, precision: str, klue: Path, steps: int) -> dict[str, Any]:
    """Time one kind in one precision; in a process of its own, so that memory is its own."""
    settings = CompareSettings.parse(read_settings("klue-koelectra-best"))
    contender = settings.encoders[kind]
    pairs = load_training(_data(klue))
    encoder = make_encoder(contender, seed=1, device="cpu", backbone=KOELECTRA)
    training = contender.training.model_copy(update={"precision": precision})
    cost = measure_training(encoder, pairs.train, pairs.validation, training, steps=steps)
    # Of a bi-encoder both sentences, the shorter one padded to the longer.
    tokens = float(encoder.token_lengths(pairs.train.pairs).mean()) * (1 + (kind == "bi"))
    return {
        "kind": kind,
        "parameters": encoder.parameters,
        "revision": encoder.backbone.revision,
        "pairs": len(pairs.train),
        "tokens_a_pair": tokens,
        "batch_size": training.batch_size,
        "timed_steps": steps,
        **asdict(cost),
        "gpu_seconds_per_step": 6 * BODY * tokens * training.batch_size / _gpu_speed(),
    }


def _gpu_speed() -> float:
    return float(GPU["fp16_tflops"]) * 1e12 * float(GPU["share"])  # type: ignore[arg-type]


def _data(klue: Path) -> DataSettings:
    return DataSettings(train=str(klue / "train.csv"), test=str(klue / "klue-sts-v1.1_dev.json"))


def to_markdown(results: dict[str, Any]) -> str:
    """Return the table that is committed."""
    environment = results["environment"]
    lines = [
        "# What the documented KoELECTRA recipes cost",
        "",
        f"`{results['command']}` on {processor_of(environment)}, {environment['threads']} thread "
        f"of {environment['cores']} cores, torch {environment['torch']}. Random weights of "
        "KoELECTRA-base-v3's size, opened by the hub id through a stand-in for the hub's cache; "
        f"{results['rows'][0]['timed_steps']} timed steps of 32 pairs each, in processor seconds "
        "of one thread, because the machine did other work. The hours of 10 and 20 epochs (base "
        "and best) are extrapolated from them, without validation.",
        "",
        "| weights on disk | encoder | tokens a pair | precision | processor seconds a step | "
        "peak memory | 10 epochs | 20 epochs |",
        "|---|---|---:|---|---:|---:|---:|---:|",
    ]
    for row in results["rows"]:
        epoch = row["steps_per_epoch"] * row["processor_seconds_per_step"]
        memory = f"{row['peak_memory'] / 2**30:.1f} GiB" if row["peak_memory"] else "unknown"
        hours = " | ".join(f"{count * epoch / 3600:.1f} h" for count in RECIPES.values())
        lines.append(
            f"| {row['weights']} | {row['kind']} | {row['tokens_a_pair']:.1f} | "
            f"{row['precision']} | "
            f"{row['processor_seconds_per_step']:.2f} | {memory} | {hours} |"
        )
    lines += [
        "",
        f"On a common GPU, not measured: an {GPU['name']} is said to reach {GPU['fp16_tflops']} "
        f"TFLOPS in fp16 (its data sheet). At {GPU['share']:.0%} of that, an assumption, and 6 "
        f"floating point operations a weight and token over {BODY / 1e6:.0f} million weights:",
        "",
        "| encoder | tokens a pair, mean | seconds a step | 10 epochs | 20 epochs |",
        "|---|---:|---:|---:|---:|",
    ]
    for kind in ("bi", "cross"):
        row = next((row for row in results["rows"] if row["kind"] == kind), None)
        if row is None:
            continue
        epoch = row["steps_per_epoch"] * row["gpu_seconds_per_step"]
        minutes = " | ".join(f"{count * epoch / 60:.0f} min" for count in RECIPES.values())
        lines.append(
            f"| {kind} | {row['tokens_a_pair']:.1f} | {row['gpu_seconds_per_step']:.3f} | "
            f"{minutes} |"
        )
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--klue", required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--steps", default=4, show_default=True, help="Timed steps.")
@click.option("--one", nargs=2, metavar="KIND PRECISION", hidden=True)
def main(klue: Path, steps: int, one: tuple[str, str] | None) -> None:
    """Measure both kinds, both precisions and both files of weights, and write the results."""
    if one:
        click.echo(json.dumps(measure(*one, klue, steps)))
        return
    pairs = load_training(_data(klue))
    sentences = [*pairs.train.sentence1, *pairs.train.sentence2]
    rows = []
    for weights in WEIGHTS:
        with tempfile.TemporaryDirectory(prefix="kosim-koelectra-") as folder:
            write_cache(Path(folder), weights, sentences)
            for kind in ("cross", "bi"):
                for precision in ("fp32", "bf16") if weights == WEIGHTS[0] else ("fp32",):
                    command = [sys.executable, "-m", "benchmarks.training.koelectra_cost"]
                    command += ["--klue", str(klue), "--steps", str(steps)]
                    told = subprocess.run(
                        [*command, "--one", kind, precision],
                        env={**os.environ, "HF_HUB_CACHE": folder, "HF_HUB_OFFLINE": "1"},
                        stdout=subprocess.PIPE,
                        check=True,
                        text=True,
                    )
                    row = {"weights": weights, **json.loads(told.stdout.splitlines()[-1])}
                    rows.append(row)
                    click.echo(json.dumps(row))
    results = {
        "command": f"python -m benchmarks.training.koelectra_cost --steps {steps}",
        "recipes": RECIPES,
        "gpu": GPU,
        "rows": rows,
        "environment": describe_environment(),
    }
    write_json(RESULTS / "koelectra_cost.json", results)
    write_text(RESULTS / "koelectra_cost.md", to_markdown(results))


if __name__ == "__main__":
    main()
