"""The bi-encoder: one vector a sentence, compared by cosine (SBERT, Reimers & Gurevych 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling

from encoders.artifact import Manifest
from encoders.backbone import find_backbone
from encoders.base import FloatArray, PairEncoder
from encoders.errors import ConfigError
from encoders.opening import FULL_PRECISION, limited_length, opening, seeded
from encoders.provenance import read_provenance
from encoders.records import Pair
from encoders.tokenizers.text_step import apply_before

PoolingMode = Literal["mean", "cls", "max"]
_PROMPT_NAME = "similarity"


class BiEncoder(PairEncoder):
    """Encodes each sentence alone; a pair's raw score is the cosine of its two vectors."""

    kind = "bi"
    order_matters = False

    @classmethod
    def from_backbone(
        cls,
        model: str,
        *,
        revision: str | None = None,
        pooling: PoolingMode | None = None,
        prompt: str = "",
        max_length: int = 128,
        device: str | None = None,
        seed: int = 0,
        text_step: str | None = None,
    ) -> Self:
        """Make an untrained bi-encoder from a backbone folder or hub id.

        Args:
            model: a transformers or sentence-transformers model, by folder or hub id.
            revision: commit, tag or branch of a hub id.
            pooling: how token vectors become one; by default what a sentence-transformers
                model brings along, else the mean.
            prompt: text put before every sentence, such as ``"query: "``; kept in the artifact.
            max_length: tokens after which a sentence is cut.
            device: torch device; the best there is when None.
            seed: of weights that the backbone does not have.
            text_step: what is done to a text before the tokenizer, such as ``"morphemes"``; by
                default what the backbone's ``kosim.json`` says.

        Raises:
            BackboneError: the backbone is not there, is incomplete, or cannot be loaded.
            ConfigError: the pooling or text step is unknown, or the length is not possible.
            MissingExtraError: the text step needs a package that is not installed.
        """
        if pooling is not None and pooling not in get_args(PoolingMode):
            raise ConfigError(f"pooling {pooling!r} is unknown; choose mean, cls or max")
        backbone = find_backbone(model, revision=revision)
        with opening(f"backbone {model}"), seeded(seed):
            ready = (backbone.path / "modules.json").is_file() and pooling is None
            modules = (
                list(SentenceTransformer(str(backbone.path), model_kwargs=FULL_PRECISION))
                if ready
                else _modules(backbone.path, pooling or "mean")
            )
            if not isinstance(modules[-1], Normalize):
                modules.append(Normalize())
            network = SentenceTransformer(
                modules=modules,
                device=device,
                prompts={_PROMPT_NAME: prompt} if prompt else None,
                default_prompt_name=_PROMPT_NAME if prompt else None,
            )
        network.max_seq_length = limited_length(max_length, network, model)
        apply_before(network.tokenizer, text_step or read_provenance(backbone.path).text_step)
        return cls(network, backbone=backbone)

    @classmethod
    def open(cls, folder: Path, manifest: Manifest, *, device: str | None) -> Self:
        """Open a verified artifact folder; use :func:`encoders.load`, which verifies it."""
        network = SentenceTransformer(
            str(folder), device=device, model_kwargs=FULL_PRECISION, local_files_only=True
        )
        apply_before(network.tokenizer, manifest.text_step)
        return cls(network, **manifest.encoder_arguments(folder))

    @property
    def prompt(self) -> str:
        """The text put before every sentence; empty when there is none."""
        return str(self.model.prompts.get(_PROMPT_NAME) or "")

    @property
    def dimension(self) -> int:
        """The length of a sentence vector."""
        return int(self.model.get_embedding_dimension())

    def encode(
        self, texts: Sequence[str], *, batch_size: int = 64, progress: bool = False
    ) -> FloatArray:
        """Encode sentences; a text that occurs twice is encoded once.

        Args:
            texts: n sentences.
            batch_size: sentences at a time; sorted by length, so that little is padded.
            progress: show a progress bar on standard error.

        Returns:
            (n, dimension) float32, rows of unit length.
        """
        places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        if not places:
            return np.zeros((0, self.dimension), dtype=np.float32)
        vectors = self.model.encode(
            list(places), batch_size=batch_size, show_progress_bar=progress, convert_to_numpy=True
        ).astype(np.float32, copy=False)
        return vectors[[places[text] for text in texts]]

    def token_lengths(self, pairs: Sequence[Pair]) -> npt.NDArray[np.int64]:
        """Return the tokens of each pair's longer sentence, prompt included, uncut: (n,)."""
        firsts = self._lengths([self.prompt + first for first, _ in pairs])
        seconds = self._lengths([self.prompt + second for _, second in pairs])
        return np.maximum(firsts, seconds)

    def _lengths(self, texts: list[str]) -> npt.NDArray[np.int64]:
        encoded = self.tokenizer(texts, truncation=False, verbose=False)["input_ids"]
        return np.array([len(ids) for ids in encoded], dtype=np.int64)

    def _raw_scores(self, pairs: list[Pair], *, batch_size: int, progress: bool) -> FloatArray:
        texts = [text for pair in pairs for text in pair]
        vectors = self.encode(texts, batch_size=batch_size, progress=progress)
        return np.einsum("ij,ij->i", vectors[::2], vectors[1::2])

    def _settings(self) -> dict[str, Any]:
        poolings = [module for module in self.model if isinstance(module, Pooling)]
        return {
            "prompt": self.prompt,
            "pooling": str(poolings[0].pooling_mode) if poolings else None,
            "modules": [type(module).__name__ for module in self.model],
        }


def _modules(path: Path, pooling: PoolingMode) -> list[torch.nn.Module]:
    transformer = Transformer(str(path), model_kwargs=dict(FULL_PRECISION))
    return [transformer, Pooling(transformer.get_embedding_dimension(), pooling_mode=pooling)]
