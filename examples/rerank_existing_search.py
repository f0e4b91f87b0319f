"""Rerank the results of a search that you already have, here plain substring matching."""

from pathlib import Path

from kosim import load

CORPUS = Path(__file__).parent / "data" / "sentences.txt"


def search(query: str, limit: int = 50) -> list[str]:
    """Return sentences that share a word with the query: a stand-in for your own search."""
    words = query.split()
    sentences = CORPUS.read_text("utf-8").splitlines()
    return [sentence for sentence in sentences if any(word in sentence for word in words)][:limit]


def main() -> None:
    """Search, rerank, and print the five best sentences."""
    query = "거실 불 꺼 줘"
    for hit in load("mini-cross").rank(query, search(query), top_k=5):
        print(f"{hit.score:.2f}  {hit.text}")


if __name__ == "__main__":
    main()
