"""The sentences of a file of pairs, each once, one a line on standard output.

python -m benchmarks.sentences ../shared/data/klue-sts/klue-sts-v1.1_dev.json > dev.txt
"""

from __future__ import annotations

from pathlib import Path

import click

from kosim.encoders.tables import read_table


@click.command()
@click.argument("pairs", type=click.Path(path_type=Path))
def main(pairs: Path) -> None:
    """Print the sentences of PAIRS in the order of their first occurrence."""
    table = read_table(pairs)
    both = zip(table["sentence1"], table["sentence2"], strict=True)
    for sentence in dict.fromkeys(sentence for pair in both for sentence in pair):
        click.echo(" ".join(sentence.split()))


if __name__ == "__main__":
    main()
