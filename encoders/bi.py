"""The bi-encoder: one vector a sentence, compared by cosine (SBERT, Reimers & Gurevych 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_args

import numpy as np
import numpy.typing as npt

from kosim.encoders.backbone import (
    FULL_PRECISION,
    find_backbone,
    opening,
    seeded,
)
from kosim.encoders.base import FloatArray, PairEncoder
from kosim.encoders.compute.backends import check_machine
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.onnx_runtime import OnnxRuntime
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.compute.text_reader import TextReader
from kosim.encoders.errors import BackboneError, ConfigError
from kosim.encoders.network_files import check_finite
from kosim.encoders.records import Pair, PoolingMode
from kosim.encoders.scoring import cosines
from kosim.encoders.suitability import check_scoring, fit_inputs, limited_length
from kosim.encoders.texts import as_texts

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from tokenizers import Encoding

    from kosim.encoders.compute.network import Network

_PROMPT_NAME = "similarity"


class BiEncoder(PairEncoder):
    """Encodes each sentence alone; a pair's raw score is the cosine of its two vectors."""

    kind = "bi"
    output = "sentence_embedding"
    order_matters = False

    @classmethod
    def from_backbone(
        cls,
        model: str,
        *,
        revision: str | None = None,
        pooling: PoolingMode | None = None,
        prompt: str | None = None,
        max_length: int = 128,
        device: str | None = None,
        seed: int = 0,
        backend: Backend | None = None,
        precision: Precision = "fp32",
        text_step: str | None = None,
    ) -> Self:
        """Make an untrained bi-encoder from a backbone folder or hub id.

        Args:
            model: a transformers or sentence-transformers model, by folder or hub id.
            revision: commit, tag or branch of a hub id.
            pooling: how token vectors become one; by default what a sentence-transformers
                model brings along, else the mean.
            prompt: text put before every sentence, such as ``"query: "``; kept in the artifact. By
                default what a sentence-transformers model says, else none.
            max_length: tokens after which a sentence is cut.
            device: torch device; the best there is when None.
            seed: of weights that the backbone does not have.
            backend: what computes, as in `load`; the export goes to the user's
                cache.
            precision: arithmetic of the network, as in `load`.
            text_step: what is done to a text before the tokenizer, such as ``"morphemes"``; by
                default what the backbone's ``kosim.json`` says.

        Raises:
            BackboneError: the backbone is not there, is incomplete, or cannot be loaded.
            ConfigError: the pooling or text step is unknown, the length is not possible, or
                backend, precision and device do not fit.
            MissingExtraError: the backend or the text step needs a package that is not installed.
        """
        choice = ComputeChoice.of(backend, precision)
        device = choice.device(device)
        check_machine(ComputeChoice())
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.base.modules import Normalize

        from kosim.encoders.provenance import read_provenance
        from kosim.encoders.tokenizers.text_step import apply_before

        if pooling is not None and pooling not in get_args(PoolingMode):
            raise ConfigError(f"pooling {pooling!r} is unknown; choose mean, cls or max")
        backbone = find_backbone(model, revision=revision)
        with opening(f"backbone {model}"), seeded(seed):
            ready = (backbone.path / "modules.json").is_file() and pooling is None
            if ready:
                whole = SentenceTransformer(str(backbone.path), model_kwargs=FULL_PRECISION)
                modules = list(whole)
                prompt = default_prompt(whole) if prompt is None else prompt
            else:
                modules = _modules(backbone.path, pooling or "mean")
            if not isinstance(modules[-1], Normalize):
                modules.append(Normalize())
            network = SentenceTransformer(
                modules=modules,
                device=device,
                prompts={_PROMPT_NAME: prompt} if prompt else None,
                default_prompt_name=_PROMPT_NAME if prompt else None,
            )
        check_finite(network, backbone.path, error=BackboneError)
        fit_inputs(network, model)
        network.max_seq_length = limited_length(max_length, network.transformers_model, model)
        apply_before(network.tokenizer, text_step or read_provenance(backbone.path).text_step)
        encoder = cls(network, backbone=backbone)
        check_scoring(encoder, f"backbone {model}")
        encoder.compute_with(choice)
        return encoder

    @classmethod
    def _model_type(cls) -> Any:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer

    @property
    def prompt(self) -> str:
        """The text put before every sentence; empty when there is none."""
        if self._exported is not None:
            return str(self.settings().get("prompt") or "")
        return default_prompt(self.model)

    @property
    def dimension(self) -> int:
        """The length of a sentence vector."""
        if isinstance(self.runtime, OnnxRuntime):
            return self.runtime.width
        return int(self.model.get_embedding_dimension())

    def encode(
        self, texts: Iterable[str], *, batch_size: int | None = None, progress: bool = False
    ) -> FloatArray:
        """Encode sentences; a text that occurs twice is encoded once.

        Args:
            texts: n sentences, in a list, an array, a Series or any iterable.
            batch_size: sentences at a time, at most; by default as many as a number of tokens
                allows.
            progress: show a progress bar on standard error.

        Returns:
            (n, dimension) float32, rows of unit length.

        Raises:
            DataError: ``texts`` is a string or a table, or a member is not a string.
        """
        texts = as_texts(texts)
        positions = {text: position for position, text in enumerate(dict.fromkeys(texts))}
        if not positions:
            return np.zeros((0, self.dimension), dtype=np.float32)
        tokens = self.reader.texts(list(positions))
        self.truncated += int((tokens.lengths > self.max_length).sum())
        vectors = self.outputs(tokens.encodings, batch_size=batch_size, progress=progress)
        return vectors[[positions[text] for text in texts]]

    def outputs(
        self,
        encodings: Sequence[Encoding],
        *,
        batch_size: int | None = None,
        progress: bool = False,
    ) -> FloatArray:
        """Return the vectors of n >= 1 tokenised inputs, (n, dimension) float32, of unit length.

        Raises:
            ArtifactError: a vector holds NaN or infinity.
        """
        vectors = super().outputs(encodings, batch_size=batch_size, progress=progress)
        if self.precision == "bf16":  # whose lengths are off by up to 1 in 256
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def token_lengths(self, pairs: Sequence[Pair]) -> npt.NDArray[np.int64]:
        """Return the tokens of each pair's longer sentence, prompt included, uncut: (n,)."""
        lengths = self.reader.texts([text for pair in pairs for text in pair]).lengths
        return np.maximum(lengths[::2], lengths[1::2])

    def _network(self) -> Network:
        from kosim.encoders.compute.network import Network

        return Network(
            self.model,
            self.output,
            prompt_tokens=self._unpooled_prompt_tokens(),
            first_token=self.first_token_only,
        )

    def _reads_first_token(self) -> bool:
        modes = [pooling.pooling_mode for pooling in self._poolings()]
        return modes == ["cls"] and not self._unpooled_prompt_tokens()

    def _unpooled_prompt_tokens(self) -> int:
        """Return the tokens of the prompt, with the leading special ones, if pooling leaves it out.

        They are counted as sentence-transformers does.
        """
        if not self.prompt or all(pooling.include_prompt for pooling in self._poolings()):
            return 0
        reader = TextReader.of(self.tokenizer, self.max_length, prompt=self.prompt)
        ids = reader.texts([""]).encodings[0].ids
        return len(ids) - (ids[-1] in self.tokenizer.all_special_ids)

    def _raw_scores(
        self, pairs: list[Pair], *, batch_size: int | None, progress: bool
    ) -> FloatArray:
        return cosines(partial(self.encode, batch_size=batch_size, progress=progress), pairs)

    def _poolings(self) -> list[Pooling]:
        from sentence_transformers.sentence_transformer.modules import Pooling

        return [module for module in self.model if isinstance(module, Pooling)]

    def _settings(self) -> dict[str, Any]:
        poolings = self._poolings()
        return {
            "prompt": self.prompt,
            "pooling": str(poolings[0].pooling_mode) if poolings else None,
            "modules": [type(module).__name__ for module in self.model],
        }


def set_prompt(encoder: BiEncoder, prompt: str) -> BiEncoder:
    """Return an encoder with the same network that puts ``prompt`` before every sentence."""
    encoder.model.prompts = {_PROMPT_NAME: prompt}
    encoder.model.default_prompt_name = _PROMPT_NAME
    return BiEncoder(encoder.model, backbone=encoder.backbone)


def default_prompt(model: SentenceTransformer) -> str:
    """Return the prompt that sentence-transformers puts before a text unless told otherwise."""
    return str(model.prompts.get(model.default_prompt_name) or "")


def _modules(path: Path, pooling: PoolingMode) -> list[torch.nn.Module]:
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    transformer = Transformer(str(path), model_kwargs=dict(FULL_PRECISION))
    return [transformer, Pooling(transformer.get_embedding_dimension(), pooling_mode=pooling)]
