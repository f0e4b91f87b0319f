"""Distillation: the teacher's geometry by hand, cached vectors, and runs that can be killed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, TrainerCallback

from kosim.encoders.bi import BiEncoder
from kosim.encoders.distillation.geometry import SentenceGeometry
from kosim.encoders.distillation.lessons import Lessons
from kosim.encoders.distillation.run import CURVE, DistillationConfig, distill
from kosim.encoders.distillation.student import SIMILARITY_WEIGHT, Student, put_token_vectors
from kosim.encoders.distillation.teacher import open_teacher, teacher_vectors
from kosim.encoders.errors import BackboneError, DataError, StorageError
from kosim.encoders.loading import KINDS
from kosim.encoders.pretraining.backbone_folder import open_tokenizer
from kosim.encoders.pretraining.batches import SpecialTokens
from kosim.encoders.pretraining.budget import Budget
from kosim.encoders.pretraining.corpus import tokenise
from kosim.encoders.pretraining.run import pretrain
from kosim.encoders.pretraining.start import WORDS
from kosim.encoders.pretraining.work_folder import WorkFolder
from kosim.encoders.provenance import read_provenance
from tests.encoders.pretraining_fixtures import (
    pretraining,
    sentences,
    write_corpus,
    write_tokenizer,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, koelectra: Path) -> Path:
    """A folder with corpus, student, and what a run that was never killed wrote."""
    folder = tmp_path_factory.mktemp("distillation")
    write_corpus(folder)
    tokenizer = write_tokenizer(folder)
    no_step = pretraining(budget=Budget(steps=0))
    pretrain(folder / "corpus.txt", tokenizer, folder / "student", no_step)
    (folder / "teacher").symlink_to(koelectra)
    run(folder, "whole", cache=folder / "cache")
    return folder


def run(place: Path, name: str, **changes: Any) -> dict[str, Any]:
    options = {
        key: changes.pop(key)
        for key in ("overwrite", "callbacks", "cache", "progress")
        if key in changes
    }
    config = DistillationConfig.model_validate(
        {"budget": Budget(steps=6), "tokens": 512, "evaluations": 3, "held_out": 40, **changes}
    )
    return distill(
        place / "corpus.txt",
        str(place / "teacher"),
        str(place / "student"),
        place / name,
        config,
        **options,
    )


def vectors(count: int = 200, width: int = 6) -> np.ndarray:
    """Return unit vectors in a narrow cone, their spread along known axes."""
    random = np.random.default_rng(3)
    spread = random.normal(size=(count, width)) * np.array([0.3, 0.2, 0.1, 0.05, 0.02, 0.01])
    cone = np.zeros(width) + spread
    cone[:, -1] += 2
    return (cone / np.linalg.norm(cone, axis=1, keepdims=True)).astype(np.float16)


def test_targets_are_the_centred_vectors_turned() -> None:
    given = vectors()
    geometry = SentenceGeometry.fit(given, 6)
    targets = geometry.targets(np.arange(200))
    centred = given.astype(np.float64) - given.astype(np.float64).mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(targets @ targets.T, unit @ unit.T, atol=1e-4)
    assert geometry.kept == pytest.approx(1.0)


def test_a_narrow_student_gets_the_axes_that_vary_most() -> None:
    given = vectors().astype(np.float64)
    geometry = SentenceGeometry.fit(vectors(), 2)
    centred = given - given.mean(axis=0)
    singular = np.linalg.svd(centred, compute_uv=False) ** 2
    assert geometry.kept == pytest.approx(singular[:2].sum() / singular.sum(), rel=1e-3)
    assert geometry.targets(np.arange(9)).shape == (9, 2)


def test_a_wide_student_leaves_further_places_empty() -> None:
    targets = SentenceGeometry.fit(vectors(), 10).targets(np.arange(20))
    assert not targets[:, 6:].any()
    np.testing.assert_allclose(np.linalg.norm(targets, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("broken", [np.ones((9, 4)), np.full((9, 4), np.nan)], ids=["one", "nan"])
def test_a_teacher_without_geometry_is_refused(broken: np.ndarray) -> None:
    with pytest.raises(DataError, match="give another"):
        SentenceGeometry.fit(broken.astype(np.float16), 4)


@pytest.fixture(scope="module")
def lessons(place: Path) -> Lessons:
    tokenizer = open_tokenizer(place / "student")
    texts = sentences(300)
    cache = tokenise(texts, tokenizer, place / "lesson-tokens", longest=46)
    geometry = SentenceGeometry.fit(vectors(300, 6), 6)
    return Lessons(
        cache,
        np.arange(300),
        geometry,
        SpecialTokens.of(tokenizer),
        tokens=512,
        longest=48,
        pairs=1.0,
        seed=1,
    )


def test_every_sentence_is_read_alone_and_pairs_are_of_all_distances(lessons: Lessons) -> None:
    alone: list[int] = []
    similarities: list[float] = []
    for key in lessons.batches(0):
        made = lessons.make(key)
        if "target" in made:
            alone += key.inputs.first[key.members].tolist()
            expected = lessons.geometry.targets(key.inputs.first[key.members])
            np.testing.assert_array_equal(made["target"].numpy(), expected)
        else:
            assert (key.inputs.first[key.members] != key.inputs.second[key.members]).all()
            first = lessons.geometry.targets(key.inputs.first[key.members])
            second = lessons.geometry.targets(key.inputs.second[key.members])
            expected = (first * second).sum(axis=1)
            np.testing.assert_allclose(made["similarity"].numpy(), expected, atol=1e-6)
            similarities += made["similarity"].tolist()
    assert sorted(alone) == list(range(300))
    every = lessons.geometry.targets(np.arange(300))
    by_chance = np.median(every @ every.T)
    assert np.quantile(similarities, 0.8) > 0.9 > by_chance
    assert np.quantile(similarities, 0.1) < 0.5


def test_the_losses_are_what_they_are_called(place: Path) -> None:
    ids = torch.tensor([[2, 10, 11, 3], [2, 12, 3, 0]])
    inputs = {
        "input_ids": ids,
        "token_type_ids": torch.zeros_like(ids),
        "attention_mask": (ids > 0).long(),
    }
    target = torch.nn.functional.normalize(torch.randn(2, 64), dim=1)
    for objective in ("embedding", "similarity"):
        student = Student(place / "student", objective=objective, seed=1).eval()  # type: ignore[arg-type]
        with torch.no_grad():
            own = student.encode(**inputs)
            loss = float(student(**inputs, target=target)["loss"])
            hidden = student.network.base_model(**inputs).last_hidden_state
        mean = torch.stack([hidden[0].mean(0), hidden[1, :3].mean(0)])
        torch.testing.assert_close(own, torch.nn.functional.normalize(mean, dim=1))
        if objective == "embedding":
            assert loss == pytest.approx(float(1 - (own * target).sum(1).mean()), abs=1e-5)
        else:
            gap = float(own[0] @ own[1] - target[0] @ target[1])
            # The diagonal is 0 but for rounding.
            assert loss == pytest.approx(SIMILARITY_WEIGHT * gap**2, abs=1e-4)
    with torch.no_grad():
        logit = student.judge(**inputs)
        loss = student(**inputs, similarity=torch.tensor([0.75, -0.2]))["loss"]
    wanted = -(0.75 * torch.sigmoid(logit[0]).log() + 0.25 * torch.sigmoid(-logit[0]).log())
    expected = (wanted - torch.sigmoid(-logit[1]).log()) / 2
    torch.testing.assert_close(loss, expected)


def test_the_student_comes_nearer_to_the_teacher(place: Path) -> None:
    curve = run(
        place, "taught", budget=Budget(steps=60), learning_rate=5e-3, cache=place / "cache"
    )["curve"]
    assert curve[-1]["cosine"] > curve[0]["cosine"] + 0.2
    assert curve[-1]["vector_spearman"] > curve[0]["vector_spearman"] + 0.2


def test_the_student_is_a_backbone_of_both_kinds(place: Path) -> None:
    folder = place / "whole"
    assert json.loads((folder / "config.json").read_text())["hidden_dropout_prob"] == 0.1
    AutoModel.from_pretrained(folder)
    saved = load_file(folder / "model.safetensors")
    for kind in KINDS.values():
        encoder = kind.from_backbone(str(folder), device="cpu")
        state = encoder.model.state_dict()
        word = next(name for name in state if name.endswith("word_embeddings.weight"))
        assert torch.equal(state[word], saved["electra.embeddings.word_embeddings.weight"])
    # A cross-encoder goes on from the judge of pairs.
    judge = next(name for name in state if name.endswith("classifier.out_proj.weight"))
    assert torch.equal(state[judge], saved["classifier.out_proj.weight"])


def test_the_folder_says_how_it_was_made(place: Path) -> None:
    record = json.loads((place / "whole" / CURVE).read_text())
    assert [row["step"] for row in record["curve"]] == [0, 2, 4, 6]
    steps = [made["step"] for made in read_provenance(place / "whole").steps]
    assert steps == ["tokenizer", "replaced token detection", "distillation"]


def same_weights(first: Path, second: Path) -> bool:
    one, other = (load_file(folder / "model.safetensors") for folder in (first, second))
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Killed(BaseException):
    """Not an Exception: nothing may handle it."""


class Kill(TrainerCallback):
    """Ends the run in its third step, behind the checkpoint of the second."""

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        if state.global_step == 3:
            raise Killed


def test_a_killed_run_ends_in_the_weights_of_a_whole_one(place: Path) -> None:
    with pytest.raises(Killed):
        run(place, "killed", cache=place / "cache", callbacks=[Kill()])
    assert not (place / "killed").exists()
    result = run(place, "killed", cache=place / "cache")
    assert same_weights(place / "killed", place / "whole")
    assert result["curve"] == json.loads((place / "whole" / CURVE).read_text())["curve"]


def test_a_killed_teacher_goes_on_with_the_next_block(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kosim.encoders.distillation.teacher._BLOCK", 16)
    teacher = open_teacher(str(place / "teacher"), device="cpu")
    texts = sentences(50)

    def stop(done: int, total: int) -> None:
        if done == 32:
            raise Killed

    with pytest.raises(Killed):
        teacher_vectors(teacher, texts, "id", tmp_path / "cache", progress=stop)
    seen: list[int] = []
    found = teacher_vectors(
        teacher, texts, "id", tmp_path / "cache", progress=lambda done, total: seen.append(done)
    )
    assert seen == [48, 50]
    np.testing.assert_allclose(found, teacher.encode(texts), atol=1e-3)
    assert teacher_vectors(teacher, texts, "id", tmp_path / "cache", progress=stop).shape == (
        50,
        32,
    )
    os.truncate(tmp_path / "cache" / "vectors.f16", 1_000)
    again = teacher_vectors(teacher, texts, "id", tmp_path / "cache")
    np.testing.assert_allclose(again, teacher.encode(texts), atol=1e-3)


def test_a_work_folder_has_one_run(tmp_path: Path) -> None:
    with (
        WorkFolder.open(tmp_path / "out", {"seed": 1}, overwrite=False) as work,
        pytest.raises(StorageError, match=r"in use by process \d+"),
        WorkFolder.open(tmp_path / "out", {"seed": 1}, overwrite=False),
    ):
        pass
    with WorkFolder.open(tmp_path / "out", {"seed": 1}, overwrite=False) as again:
        assert again.path == work.path
        again.close()
    assert list(tmp_path.iterdir()) == []


def test_vectors_of_something_else_are_not_used(place: Path) -> None:
    with pytest.raises(StorageError, match="another texts"):
        run(place, "elsewhere", cache=place / "cache", sentences=100)
    assert not (place / "elsewhere").exists()


def test_a_saved_bi_encoder_is_a_teacher_and_a_cross_encoder_is_none(
    place: Path, artifacts: dict[str, Path]
) -> None:
    assert isinstance(open_teacher(str(artifacts["bi"]), device="cpu"), BiEncoder)
    with pytest.raises(BackboneError, match="no sentence vectors"):
        open_teacher(str(artifacts["cross"]), device="cpu")


def test_a_missing_teacher_or_student_is_refused_before_anything_is_written(place: Path) -> None:
    for teacher, student in (("./missing", "student"), ("teacher", "./missing")):
        with pytest.raises(BackboneError, match="missing does not exist"):
            distill(
                place / "corpus.txt",
                teacher if teacher.startswith(".") else str(place / teacher),
                student if student.startswith(".") else str(place / student),
                place / "none",
                DistillationConfig(),
            )
    assert not [path for path in place.iterdir() if "none" in path.name]


def test_a_student_without_a_mask_token_is_refused(place: Path, tmp_path: Path) -> None:
    student = tmp_path / "student"
    student.mkdir()
    for file in (place / "student").iterdir():
        (student / file.name).write_bytes(file.read_bytes())
    settings = json.loads((student / "tokenizer_config.json").read_text())
    del settings["mask_token"]
    (student / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(BackboneError, match="no mask token"):
        distill(
            place / "corpus.txt",
            str(place / "teacher"),
            str(student),
            tmp_path / "none",
            DistillationConfig(),
        )


def test_word_embeddings_can_come_from_the_teacher(place: Path) -> None:
    """Angles between embeddings are those of the teacher's vectors of single tokens."""
    student = Student(place / "student", objective="embedding", seed=1)
    tokenizer = open_tokenizer(place / "student")
    teacher = open_teacher(str(place / "teacher"))
    words = student.network.get_input_embeddings().weight
    before = words.detach().clone()
    put_token_vectors(student.network, tokenizer, teacher)
    special = tokenizer.all_special_ids
    assert torch.equal(words[special], before[special])
    ids = [number for number in range(len(tokenizer)) if number not in special]
    texts = [token.removeprefix("▁") for token in tokenizer.convert_ids_to_tokens(ids)]
    expected = teacher.encode(texts).astype(np.float64)
    expected -= expected.mean(axis=0)
    found = words[ids].detach().numpy()
    assert found.std() == pytest.approx(WORDS, rel=0.01)
    left, values, _ = np.linalg.svd(expected, full_matrices=False)
    kept = left[:, : words.shape[1]] * values[: words.shape[1]]
    expected_angles, angles = kept @ kept.T, found @ found.T
    np.testing.assert_allclose(
        angles / np.abs(angles).max(), expected_angles / np.abs(expected_angles).max(), atol=5e-3
    )
    run(place, "taught-words", embeddings="teacher", cache=place / "cache", budget=Budget(steps=0))
    kept_words = load_file(place / "taught-words" / "model.safetensors")[
        "electra.embeddings.word_embeddings.weight"
    ]
    torch.testing.assert_close(kept_words, words.detach())
