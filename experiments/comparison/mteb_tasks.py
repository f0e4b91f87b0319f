"""Tasks of MTEB, evaluated by mteb itself, and its STS tasks with encoders of both kinds.

mteb evaluates encoders of vectors; of STS tasks it refuses cross-encoders. Their scores are
compared with the labels of the same splits here, by the same two correlations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy.stats import pearsonr, spearmanr

from kosim.encoders.compute.runtime import FloatArray
from kosim.encoders.errors import ConfigError, DataError, MissingExtraError
from kosim.encoders.interface import Encoder, SentenceEncoder

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask
    from mteb.models import ModelMeta

Scores = dict[str, Any]


class MtebEncoder:
    """A bi-encoder in mteb's form (``EncoderProtocol``): ``mteb.evaluate(MtebEncoder(bi), task)``.

    Args:
        encoder: encodes with its own prompt and length, whatever the task.
        name: what mteb calls it.
    """

    def __init__(self, encoder: SentenceEncoder, name: str = "kosim/bi") -> None:
        self.encoder = encoder
        self.name = name

    def encode(self, inputs: Any, **_: Any) -> FloatArray:
        """Return the unit vectors of the texts of mteb's batches, (n, dimension)."""
        return self.encoder.encode([text for batch in inputs for text in batch["text"]])

    def similarity(self, embeddings1: FloatArray, embeddings2: FloatArray) -> FloatArray:
        """Return the cosines of all pairs of unit vectors, (n, m)."""
        return cast(FloatArray, np.asarray(embeddings1) @ np.asarray(embeddings2).T)

    def similarity_pairwise(self, embeddings1: FloatArray, embeddings2: FloatArray) -> FloatArray:
        """Return the cosines of n pairs of unit vectors, (n,)."""
        return cast(FloatArray, np.einsum("nd,nd->n", embeddings1, embeddings2))

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """What mteb notes of the model."""
        from mteb.models import ModelMeta

        return ModelMeta.create_empty(
            {"name": self.name, "revision": self.encoder.fingerprint()[:12]}
        )


def evaluate_mteb(encoder: Encoder, task: str | AbsTask) -> dict[str, list[Scores]]:
    """Evaluate an encoder on a task of MTEB.

    A bi-encoder is evaluated by mteb on any of its tasks, a cross-encoder here on STS tasks.

    Args:
        encoder: of either kind.
        task: a task, or the name of one of mteb's; its data come from the hub or its cache.

    Returns:
        For each split of the task the figures of its subsets; of an STS task among them
        ``pearson`` and ``spearman``, for a cross-encoder nothing else.

    Raises:
        MissingExtraError: mteb is not installed.
        ConfigError: mteb has no such task, or it is none of STS and the encoder a cross-encoder.
        DataError: the data of the task cannot be loaded.
    """
    try:
        import mteb
        from mteb.abstasks.sts import AbsTaskSTS
    except ImportError as error:
        raise MissingExtraError(
            f'tasks of MTEB need {error.name}, which is not installed: pip install "kosim[mteb]"'
        ) from error
    if isinstance(task, str):
        try:
            task = mteb.get_task(task)
        except KeyError as error:
            raise ConfigError(f"mteb has no task {task!r}; mteb.get_tasks() lists them") from error
    name = task.metadata.name
    if encoder.kind != "bi" and not isinstance(task, AbsTaskSTS):
        raise ConfigError(
            f"{name} is a task of {task.metadata.type}; a cross-encoder has scores for STS alone"
        )
    try:
        task.load_data()
    except (OSError, ValueError, ConnectionError) as error:
        raise DataError(
            f"the data of {name} cannot be loaded ({str(error)[:100]}); load them once while online"
        ) from error
    if encoder.kind == "bi":
        result = mteb.evaluate(
            MtebEncoder(cast(SentenceEncoder, encoder)),
            task,
            cache=None,
            co2_tracker=False,
            show_progress_bar=False,
        )
        return {split: list(scores) for split, scores in result.task_results[0].scores.items()}
    return {
        split: [
            _correlations(encoder, task, subset, rows) for subset, rows in _subsets(task, split)
        ]
        for split in task.eval_splits
    }


def _subsets(task: Any, split: str) -> Iterator[tuple[str, Any]]:
    if not task.metadata.is_multilingual:
        yield "default", task.dataset[split]
        return
    for subset in task.hf_subsets:
        yield subset, task.dataset[subset][split]


def _correlations(encoder: Encoder, task: Any, subset: str, rows: Any) -> Scores:
    """Return Pearson's and Spearman's correlation of raw scores and labels."""
    first, second = (
        list(rows[name if isinstance(name, str) else next(iter(name))])
        for name in task.column_names
    )
    scores = encoder.score(list(zip(first, second, strict=True)), raw=True).astype(np.float64)
    return {
        "hf_subset": subset,
        "pearson": float(pearsonr(rows["score"], scores)[0]),
        "spearman": float(spearmanr(rows["score"], scores)[0]),
    }
