"""The command line: the only room that prints."""

from __future__ import annotations

import click

from kosim.experiments.cli.group import KosimGroup

_SECTIONS = {
    "Compare and train": {
        "compare": "Train both encoders and tell whether the difference is real.",
        "train": "Train one encoder and save it.",
        "teach": "Train an encoder on pairs that other encoders label.",
        "tune": "Find better hyperparameters for one encoder.",
        "report": "Render the report of a finished run again.",
        "evaluate": "Evaluate a saved encoder on test pairs.",
        "data": "Report on a file of pairs.",
    },
    "Score and search": {
        "score": "Score how similar two sentences are.",
        "explain": "Explain a score by the words of both sentences.",
        "rerank": "Rank sentences by similarity to a query.",
        "index": "Build and maintain the index of a corpus.",
        "search": "Find similar sentences in an index.",
        "mine": "Find the most similar pairs in a corpus.",
        "serve": "Serve encoders and an index over HTTP, with a web page.",
    },
    "Measure": {
        "depth": "Measure how many candidates a reranker needs.",
        "evaluate-retrieval": "Evaluate retrieval and reranking on judged queries.",
        "probe": "Probe encoders with minimal pairs by phenomenon.",
        "bench": "Measure the speed of encoders and search.",
        "plan": "Plan the machines for a corpus and its queries.",
    },
    "Make models": {
        "adopt": "Calibrate and save a model that others trained.",
        "export": "Export a saved encoder for a faster backend.",
        "tokenizer": "Train a tokenizer.",
        "pretrain": "Pretrain a small ELECTRA on a corpus.",
        "distill": "Teach a small encoder the sentence geometry of a larger one.",
        "compare-tokenizers": "Compare tokenizers by the encoders that use them.",
    },
}


@click.group(
    cls=KosimGroup,
    sections=_SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="kosim")
def main() -> None:
    """Compare bi-encoders and cross-encoders on Korean sentences, and search with both."""


__all__ = ["main"]
