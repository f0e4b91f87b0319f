"""Word embeddings that a student takes from its teacher: what the teacher says of single tokens."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kosim.encoders.bi import BiEncoder
from kosim.encoders.distillation.geometry import SentenceGeometry
from kosim.encoders.pretraining.start import WORDS


def put_token_vectors(
    network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, teacher: BiEncoder
) -> None:
    """Replace a student's word embeddings, in place, by the teacher's vectors of its tokens.

    Each token is given to the teacher as a text of its own, and the vectors are turned to as many
    principal axes as an embedding has, as Model2Vec (Tulkens and van Dongen 2024) does. Special
    tokens keep the embeddings that they have.

    Args:
        network: the student.
        tokenizer: its tokenizer, of v tokens.
        teacher: encodes the texts of the tokens.
    """
    words = network.get_input_embeddings().weight
    special = set(tokenizer.all_special_ids)
    ids = [number for number in range(len(tokenizer)) if number not in special]
    vectors = teacher.encode([_text(tokenizer, number) for number in ids])
    geometry = SentenceGeometry.fit(vectors, words.shape[1])
    turned = (vectors - geometry.mean) @ geometry.axes
    embeddings = torch.from_numpy(turned * (WORDS / max(float(turned.std()), 1e-12)))
    with torch.no_grad():
        words[ids] = embeddings.to(words.dtype)


def _text(tokenizer: PreTrainedTokenizerBase, number: int) -> str:
    """Return a token as text, without the mark of a word's middle."""
    token = str(tokenizer.convert_ids_to_tokens(number))
    return tokenizer.convert_tokens_to_string([token]).removeprefix("##").strip() or token
