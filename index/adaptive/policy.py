"""Adaptive reranking: stop as soon as the rest of the candidates would hardly change the top k.

Candidates are reranked in retrieval order, in blocks. At each border between blocks a model says
how many of the remaining candidates it expects in the top k; when that is below a limit, the
query is done. The limit is chosen by conformal risk control (Angelopoulos et al., "Conformal Risk
Control", ICLR 2024) on queries that the model was not fitted on: for new queries of the same kind
the chance to lose a hit is at most the stated one, however good or bad the model is. A bad model
only costs calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.metrics import Floats
from kosim.index.adaptive.candidate_model import EntryModel
from kosim.index.adaptive.policy_file import damaged, read_policy, write_policy

RELEVANT = 2.5
"""The score on 0-5 from which a hit counts: below it there is noise among unrelated sentences."""

FOLDER = "policies"
"""Where the policies of an index lie in it."""

BLOCK = 10
_MODEL_SHARE = 1 / 3
_MODEL_ARRAYS = ("quantiles", "centre", "scale", "weights")
_MOST_GROWTH = 2.0
"""An index that grew or shrank by more since the fit has other candidate lists than those seen."""


@dataclass(frozen=True)
class PolicyIdentity:
    """What a policy was fitted for; it is refused for anything else.

    Fingerprints of the index's encoder and of the reranker, the retrieval mode, and the number
    of documents and the generation of the index at that time.
    """

    encoder: str
    reranker: str
    mode: str = "dense"
    documents: int = 0
    generation: int = 0

    @property
    def folder(self) -> Path:
        """Where in an index its policy lies."""
        return Path(FOLDER, f"{self.encoder[:12]}-{self.reranker[:12]}-{self.mode}")


@dataclass(frozen=True)
class Replay:
    """What a policy does with lists whose scores are all known, one value a query.

    ``calls`` (n,) candidates are reranked; ``missed`` (n,) is whether that loses a hit that
    counts of those which reranking the whole list would show.
    """

    calls: npt.NDArray[np.int64]
    missed: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CandidatePolicy:
    """A fitted stopping rule for every ``k`` and every chance that its queries allow.

    ``cosines`` and ``scores`` (n, depth) are the lists of the n calibration queries.
    """

    identity: PolicyIdentity
    model: EntryModel
    cosines: Floats
    scores: Floats
    _critical: dict[int, Floats] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def fit(
        cls,
        cosines: npt.ArrayLike,
        scores: npt.ArrayLike,
        identity: PolicyIdentity,
        *,
        floor: float,
        block: int = BLOCK,
        seed: int = 0,
    ) -> Self:
        """Fit on candidate lists that were reranked to their end.

        Args:
            cosines: (N, D) in retrieval order, -inf where a list is shorter.
            scores: (N, D) raw rerank scores, -inf in the same cells.
            identity: encoders, mode and index of the lists.
            floor: raw score from which a hit counts: ``raw_score(calibration, RELEVANT)``.
            block: candidates reranked between two decisions.
            seed: which third of the queries the model is fitted on; the rest sets the limits.

        Raises:
            DataError: the lists do not fit each other, or there are fewer than 3.
        """
        near, far = np.asarray(cosines, np.float64), np.asarray(scores, np.float64)
        if near.ndim != 2 or near.shape != far.shape:
            raise DataError(f"cosines {near.shape} and scores {far.shape} are not two (N, D) lists")
        if not np.array_equal(np.isfinite(near), np.isfinite(far)):
            raise DataError("cosines and scores are not finite in the same places")
        if len(near) < 3 or not near.shape[1]:
            raise DataError(f"{len(near)} candidate lists are too few to fit a policy; give more")
        random = np.random.default_rng(seed)
        order = random.permutation(len(near))
        ours, theirs = np.split(order, [max(1, round(len(near) * _MODEL_SHARE))])
        model = EntryModel.fit(near[ours], far[ours], floor=floor, block=block, random=random)
        return cls(identity, model, near[theirs], far[theirs])

    @property
    def depth(self) -> int:
        """The number of candidates to retrieve; hits beyond it are not promised."""
        return self.cosines.shape[1]

    def limit(self, k: int, chance: float) -> float:
        """Return the expected entries below which a query is done.

        A calibration query is lost for every limit above a critical value, its least expected
        entries at a border before its last hit. Misses grow with the limit, and conformal risk
        control takes the largest limit with n/(n+1) misses(limit) + 1/(n+1) <= chance: at most
        ``chance`` (n+1) - 1 of the n critical values may lie below it.

        Raises:
            ConfigError: the chance is not between 0 and 1, or needs more calibration queries.
        """
        if not 0 < chance < 1:
            raise ConfigError(f"chance is {chance!r}; give a share of queries between 0 and 1")
        n = len(self.cosines)
        allowed = int(np.floor(chance * (n + 1) - 1 + 1e-9))
        if allowed < 0:
            needed = int(np.ceil(1 / chance - 1 - 1e-9))
            queries = int(np.ceil(needed / (1 - _MODEL_SHARE))) + 1
            raise ConfigError(
                f"a chance of {chance:g} needs a policy fitted on at least {queries} queries "
                f"({needed} for the limit, the rest for the model); this one has {n} for the "
                "limit: allow a larger chance, or fit it on more queries"
            )
        if k not in self._critical:
            needed_calls = self._last_hit(self.scores, k)
            borders, entries = self._entries(self.cosines, self.scores, k)
            early = borders[None] < needed_calls[:, None]
            least = np.where(early, entries, np.inf).min(axis=1, initial=np.inf)
            self._critical[k] = np.sort(least)
        return float(self._critical[k][allowed]) if allowed < n else np.inf

    def replay(
        self, cosines: npt.ArrayLike, scores: npt.ArrayLike, *, k: int, chance: float
    ) -> Replay:
        """Apply the policy to (n, D) lists of other queries that were reranked to their end."""
        near, far = np.asarray(cosines, np.float64), np.asarray(scores, np.float64)
        borders, entries = self._entries(near, far, k)
        stops = entries < self.limit(k, chance)
        lengths = np.isfinite(near).sum(axis=1)
        calls = lengths
        if len(borders):
            first = borders[stops.argmax(axis=1)]
            calls = np.where(stops.any(axis=1), np.minimum(first, lengths), lengths)
        return Replay(calls, calls < self._last_hit(far, k))

    def rerank_adaptively(
        self,
        cosines: npt.ArrayLike,
        score: Callable[[npt.NDArray[np.bool_]], npt.NDArray[np.float32]],
        *,
        k: int,
        chance: float,
    ) -> npt.NDArray[np.float32]:
        """Rerank the candidates of q queries as far as each needs, all queries block by block.

        Args:
            cosines: (q, D) in retrieval order, -inf where a list is shorter.
            score: takes (q, D) flags and returns (q, D) raw scores, right where flagged.
            k: hits wanted.
            chance: accepted share of queries that lose a hit that counts.

        Returns:
            (q, D) raw scores, -inf where a candidate was not reranked.
        """
        near = np.asarray(cosines, np.float64)
        exists = np.isfinite(near)
        limit = self.limit(k, chance)
        scores = np.full(near.shape, -np.inf, dtype=np.float32)
        active = np.ones(len(near), dtype=bool)
        start = 0
        for border in (*self.model.borders(k, near.shape[1]), near.shape[1]):
            wanted = exists & active[:, None]
            wanted[:, :start] = wanted[:, border:] = False
            if wanted.any():
                scores = np.where(wanted, score(wanted), scores)
            start = border
            if border < near.shape[1]:
                known = scores[active, :border].astype(np.float64)
                entries = self.model.expected_entries(near[active], known, k)
                active[active] = entries >= limit
        return scores

    def save(self, index_folder: Path) -> None:
        """Write the policy into an index, in place of an older one for the same encoders and mode.

        Raises:
            StorageError: the folder cannot be written.
        """
        header = {
            "identity": asdict(self.identity),
            "block": self.model.block,
            "floor": self.model.floor,
            "queries": len(self.cosines),
            "depth": self.depth,
        }
        arrays = {name: getattr(self.model, name) for name in _MODEL_ARRAYS}
        arrays |= {"cosines": self.cosines, "scores": self.scores}
        write_policy(Path(index_folder) / self.identity.folder, header, arrays)

    @classmethod
    def load(cls, index_folder: Path, encoder: str, reranker: str, *, mode: str = "dense") -> Self:
        """Read the policy of two encoders, by their full fingerprints, and a mode.

        Raises:
            ConfigError: the index has none that was fitted for them.
            CorpusIndexError: its files are damaged or of a newer format.
        """
        folder = Path(index_folder) / PolicyIdentity(encoder, reranker, mode).folder
        if not folder.is_dir():
            raise _not_fitted(index_folder, reranker, mode)
        header, arrays = read_policy(folder)
        try:
            identity = PolicyIdentity(**header["identity"])
            model = EntryModel(
                header["block"], header["floor"], *(arrays[name] for name in _MODEL_ARRAYS)
            )
            cosines, scores = arrays["cosines"], arrays["scores"]
            model.check()
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(folder, f"{error} is missing or wrong") from error
        if not cosines.shape == scores.shape == (header.get("queries"), header.get("depth")):
            raise damaged(folder, f"its lists are of shapes {cosines.shape} and {scores.shape}")
        if (identity.encoder, identity.reranker, identity.mode) != (encoder, reranker, mode):
            raise _not_fitted(index_folder, reranker, mode)
        return cls(identity, model, cosines, scores)

    def check_corpus(self, first_generation: int, documents: int, index_folder: Path) -> None:
        """Check that the index still is what the policy was fitted on.

        Args:
            first_generation: the one with which the corpus of the index began.
            documents: how many the index has.
            index_folder: the index, for messages.

        Raises:
            ConfigError: the corpus is another one, or more than doubled or halved.
        """
        if self.identity.generation < first_generation:
            raise ConfigError(
                f"the candidate policy of {index_folder} was fitted on the corpus that the index "
                f"held before it was rebuilt; fit it again with {fitting(index_folder)}, or give a "
                "number of candidates"
            )
        then = self.identity.documents
        if max(documents, 1) > _MOST_GROWTH * then or documents * _MOST_GROWTH < then:
            raise ConfigError(
                f"the candidate policy of {index_folder} was fitted on {then} documents, now there "
                f"are {documents}: its chance may no longer hold; fit it again with "
                f"{fitting(index_folder)}, or give a number of candidates"
            )

    def _entries(
        self, cosines: Floats, scores: Floats, k: int
    ) -> tuple[npt.NDArray[np.int64], Floats]:
        """Return the b borders and the entries expected at each: (b,), (n, b)."""
        borders = np.array(self.model.borders(k, cosines.shape[1]), dtype=np.int64)
        entries = [
            self.model.expected_entries(cosines, scores[:, :border], k) for border in borders
        ]
        return borders, np.stack(entries, axis=1) if entries else np.zeros((len(cosines), 0))

    def _last_hit(self, scores: Floats, k: int) -> npt.NDArray[np.int64]:
        """Return how many candidates are needed for all hits that count: (n,), 0 for none."""
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        counts = np.take_along_axis(scores, order, axis=1) >= self.model.floor
        return np.where(counts, order + 1, 0).max(axis=1)


def fitting(index_folder: Path) -> str:
    """Return the command that fits a policy, for messages."""
    return f"`kosim depth {index_folder} --reranker CROSS --queries FILE`"


def _not_fitted(index_folder: Path, reranker: str, mode: str) -> ConfigError:
    if mode != "dense":
        return ConfigError(
            f'candidates "auto" needs a policy fitted for {index_folder} and the mode {mode}, and '
            "there is none; `kosim depth` fits one for the mode dense alone: give a number of "
            "candidates"
        )
    return ConfigError(
        f'candidates "auto" needs a policy fitted for {index_folder}, the reranker '
        f"{reranker[:12]} and the mode {mode}, and there is none; fit it with "
        f"{fitting(index_folder)}, or give a number of candidates"
    )
