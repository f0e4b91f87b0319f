"""Whether a network that others made can work as an encoder: found out when it is opened.

What can be put right is put right: token types that the network has no room for are left out, and
an end token serves as padding. All else is refused in one line, at the latest by scoring an input
of full length.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import BackboneError, ConfigError, KosimError
from kosim.encoders.language import both
from kosim.encoders.records import Pair

_LOG = logging.getLogger(__name__)
_SHORTEST = 8
"""Tokens below which no text fits between the special ones."""

_USUAL = 512
"""Tokens that a network without positions reads, and that any is tried with at most."""

_UNLIMITED = 10**6


def position_limit(network: Any) -> int | None:
    """Return the number of tokens that a network has positions for; None where any number does.

    RoBERTa and its kin count positions from behind that of the padding: of 514 they use 512.

    Args:
        network: a transformers model.
    """
    limits = [getattr(network.config, "max_position_embeddings", None)]
    for module in network.modules():
        table: Any = getattr(module, "position_embeddings", None)
        if (padding := getattr(table, "padding_idx", None)) is not None:
            limits.append(table.num_embeddings - padding - 1)
    return min((limit for limit in limits if limit is not None and limit > 0), default=None)


def limited_length(wanted: int, network: Any, name: str) -> int:
    """Return ``wanted`` tokens if a transformers model has that many positions.

    Raises:
        ConfigError: it has fewer, or ``wanted`` leaves no room for text.
    """
    positions = position_limit(network)
    if wanted < _SHORTEST or (positions is not None and wanted > positions):
        raise ConfigError(
            f"a maximum length of {wanted} tokens is not possible with backbone {name}; "
            f"choose {_SHORTEST} to {positions or 'any number'}"
        )
    return wanted


def own_length(model: Any) -> int:
    """Return the maximum length that a sentence-transformers model brings along.

    It is what the network has positions for, where the model says more or nothing.
    """
    said, positions = model.max_seq_length, position_limit(model.transformers_model)
    # transformers writes 1e30 where it does not know.
    known = [one for one in (said, positions) if one is not None and one < _UNLIMITED]
    return int(min(known, default=_USUAL))


def classifier_arguments(path: Path, name: str) -> dict[str, Any]:
    """Return how transformers is to open a backbone as a classifier with one output.

    The head of a classifier with several outputs, such as one of inference (NLI), is replaced by a
    new one, which a warning says.

    Raises:
        BackboneError: it is an encoder-decoder, or generates text.
    """
    config = read_config(path)
    if config.get("is_encoder_decoder"):
        raise BackboneError(
            f"backbone {name} is an encoder-decoder ({config.get('model_type')}), which does not "
            "make a cross-encoder; train a bi-encoder from it, or give an encoder such as ELECTRA"
        )
    if any(str(name).endswith("ForCausalLM") for name in config.get("architectures") or []):
        raise BackboneError(
            f"backbone {name} is a decoder ({config.get('model_type')}) that generates text, which "
            "does not make a cross-encoder; train a bi-encoder from it, or give an encoder such as "
            "ELECTRA"
        )
    if (labels := label_count(config)) in (None, 1):
        return {}
    from transformers import AutoModel

    AutoModel.from_pretrained(path)  # whose weights must fit, while those of the head may not
    said = both(
        "backbone {name} has a classifier of {n} labels; a new one with a single output is trained",
        "백본 {name}: 레이블 {n}개짜리 분류기 대신 출력이 하나인 새 분류기를 학습합니다",
        name=name,
        n=str(labels),
    )
    _LOG.warning("%s", said)
    return {"ignore_mismatched_sizes": True}


def read_config(path: Path) -> dict[str, Any]:
    """Return the ``config.json`` of a folder; empty where it has none that can be read."""
    try:
        content = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def label_count(config: dict[str, Any]) -> int | None:
    """Return how many outputs the classifier of a model has; None where it has no classifier."""
    architectures = config.get("architectures") or []
    if not any(str(name).endswith("ForSequenceClassification") for name in architectures):
        return None
    return len(config.get("id2label") or {}) or int(config.get("num_labels", 2))


def fit_inputs(model: Any, name: str) -> None:
    """Make what the tokenizer gives suit the network.

    Args:
        model: a sentence-transformers model, changed in place.
        name: what a message calls it.

    Raises:
        BackboneError: there is no padding token, or fewer embeddings than tokens.
    """
    network, tokenizer = model.transformers_model, model.tokenizer
    rows = network.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise BackboneError(
            f"backbone {name} has fewer embeddings ({rows:,}) than tokens ({len(tokenizer):,}); "
            "give it the tokenizer that it was made with"
        )
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise BackboneError(
                f"the tokenizer of backbone {name} has no padding token; name one of its tokens as "
                '"pad_token" in its tokenizer_config.json'
            )
        tokenizer.pad_token = tokenizer.eos_token
        said = both(
            "backbone {name} has no padding token; its end token {token} serves as one",
            "백본 {name}: 패딩 토큰이 없어 종료 토큰({token})을 대신 씁니다",
            name=name,
            token=str(tokenizer.eos_token),
        )
        _LOG.warning("%s", said)
    if getattr(network.config, "pad_token_id", None) is None:
        network.config.pad_token_id = tokenizer.pad_token_id
    types = getattr(network.config, "type_vocab_size", 2)
    if types < 2 and "token_type_ids" in tokenizer.model_input_names:
        tokenizer.model_input_names = [
            one for one in tokenizer.model_input_names if one != "token_type_ids"
        ]


class Scorer(Protocol):
    """An encoder, as far as `check_scoring` uses it; ``truncated`` counts what it cut."""

    truncated: int

    @property
    def max_length(self) -> int:
        """The number of tokens after which an input is cut."""

    def score(self, pairs: Iterable[Pair], *, raw: bool = False) -> npt.NDArray[np.float32]:
        """Score pairs."""


def check_scoring(encoder: Scorer, name: str) -> None:
    """Score a pair of full length, up to 512 tokens, beside a short one, as it is done later.

    Raises:
        BackboneError: that fails.
        ArtifactError: it gives no numbers.
    """
    long = "가 " * min(encoder.max_length, _USUAL)
    before = encoder.truncated
    try:
        encoder.score([(long, long), ("가", "나")], raw=True)
    except KosimError:
        raise
    except Exception as error:  # a network can fail on its inputs in any way
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BackboneError(
            f"{name} cannot score texts of {encoder.max_length} tokens ({type(error).__name__}: "
            f"{reason}); choose another backbone, or a shorter maximum length"
        ) from error
    finally:
        encoder.truncated = before  # which counts what a user gave
