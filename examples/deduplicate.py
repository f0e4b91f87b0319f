"""Find near-duplicates in a corpus: mine the most similar pairs and print those above a score."""

import tempfile
from pathlib import Path

from kosim import build_index, load, mine
from kosim.index.corpus import read_corpus

CORPUS = Path(__file__).parent / "data" / "sentences.txt"


def main() -> None:
    """Print up to 20 pairs with a score of at least 4 of 5."""
    encoder = load("mini-bi")
    with tempfile.TemporaryDirectory() as folder:
        index = build_index(read_corpus(CORPUS), encoder, Path(folder) / "index")
        for pair in mine(index, reranker=load("mini-cross"), top=20, min_score=4.0):
            print(f"{pair.score:.2f}  {pair.text1}  |  {pair.text2}")


if __name__ == "__main__":
    main()
