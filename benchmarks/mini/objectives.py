"""Which objective a student should be taught by: the same network, sentences and steps for each.

Both students are judged without any fine-tuning by the rank correlation of their cosines, and of
their judgements of pairs, with the labels of KLUE-STS' training pairs; its dev split stays unseen.

    python -m benchmarks.mini.objectives --student runs/mini/rtd
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.distillation.run import DistillationConfig, distill
from kosim.encoders.distillation.student import Objective
from kosim.encoders.errors import KosimError
from kosim.encoders.metrics import spearman
from kosim.encoders.pretraining.budget import Budget
from kosim.encoders.storage import write_json
from kosim.experiments.data.pairs import load_pairs
from kosim.experiments.study.environment import describe_environment

RESULTS = Path(__file__).parents[1] / "results" / "mini" / "objectives.json"
SHARED = Path("../shared")
PAIRS = 3_000


@click.command()
@click.option("--corpus", default=SHARED / "data/corpus/ko-sentences.txt.gz", show_default=True)
@click.option("--teacher", default=str(SHARED / "models/e5-small-ko"), show_default=True)
@click.option("--pairs", default=SHARED / "data/klue-sts/train.csv", show_default=True)
@click.option("--student", required=True, help="A backbone to begin with.")
@click.option("--sentences", type=int, default=100_000, show_default=True)
@click.option("--steps", type=int, default=2_000, show_default=True, help="Of each student.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("runs/mini/objectives"))
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
def main(
    corpus: Path,
    teacher: str,
    pairs: Path,
    student: str,
    sentences: int,
    steps: int,
    work: Path,
    out: Path,
) -> None:
    """Teach a student by each objective and write what they reach; a killed run goes on."""
    try:
        frame = load_pairs(pairs).frame.dropna().sample(PAIRS, random_state=0)
        labels = frame["label"].to_numpy()
        texts = list(zip(frame["sentence1"], frame["sentence2"], strict=True))
        rows = {}
        for objective in get_args(Objective):
            config = DistillationConfig(
                objective=objective,
                budget=Budget(steps=steps),
                sentences=sentences,
                teacher_prompt="query: ",
            )
            folder = work / objective
            if not folder.is_dir():
                distill(corpus, teacher, student, folder, config, cache=work / "teacher")
            rows[objective] = {
                kind: spearman(labels, encoder.from_backbone(str(folder)).score(texts, raw=True))
                for kind, encoder in (("bi", BiEncoder), ("cross", CrossEncoder))
            }
            write_json(
                out,
                {
                    "pairs": PAIRS,
                    "sentences": sentences,
                    "steps": steps,
                    "spearman": rows,
                    "environment": describe_environment(),
                },
            )
            click.echo(f"{objective}: {rows[objective]}")
    except KosimError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
