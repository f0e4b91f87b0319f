"""The command line: the only room that prints."""

from __future__ import annotations

import click

from kosim.experiments.cli.lazy import LazyGroup

_COMMANDS = {
    "compare": "Train both encoders and tell whether the difference is real.",
    "train": "Train one encoder and save it.",
    "tune": "Find better hyperparameters for one encoder.",
    "evaluate": "Evaluate a saved encoder on test pairs.",
    "data": "Report on a file of pairs.",
    "score": "Score how similar two sentences are.",
    "rerank": "Rank sentences by similarity to a query.",
    "index": "Build an index of a corpus, and look after it.",
    "search": "Find similar sentences in an index.",
    "mine": "Find the most similar pairs inside a corpus.",
    "depth": "Measure how many candidates a reranker needs.",
    "evaluate-retrieval": "Evaluate ways of finding what is relevant.",
    "serve": "Serve encoders and an index over HTTP, with a page.",
    "tokenizer": "Train a tokenizer.",
    "pretrain": "Pretrain a small ELECTRA on a corpus.",
    "distill": "Teach a small encoder a larger one's sentence geometry.",
    "compare-tokenizers": "Compare tokenizers by what they are good for.",
    "export": "Prepare a saved encoder for a faster backend.",
    "bench": "Measure the speed of encoders and search.",
    "plan": "Say what a corpus and its queries will need.",
}


@click.group(
    cls=LazyGroup,
    commands_with_help=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="kosim")
def main() -> None:
    """Compare bi-encoders and cross-encoders on Korean sentences, and search with both."""


__all__ = ["main"]
