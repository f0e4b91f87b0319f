"""Replaced token detection: its losses by hand, and runs that end as they would have ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import average_precision_score, log_loss, precision_score, recall_score
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    ElectraForPreTraining,
    TrainerCallback,
    TrainerState,
)

from kosim.encoders.errors import BackboneError, ConfigError, DataError, StorageError
from kosim.encoders.loading import KINDS
from kosim.encoders.pretraining.batches import EpochBatches, SpecialTokens
from kosim.encoders.pretraining.budget import Budget, seconds_a_step
from kosim.encoders.pretraining.detection_quality import DetectionQuality
from kosim.encoders.pretraining.network import ReplacedTokenDetection, _draw
from kosim.encoders.pretraining.run import CURVE, pretrain
from kosim.encoders.pretraining.sizes import network_config
from kosim.encoders.provenance import read_provenance
from kosim.encoders.tables import read_lines
from kosim.encoders.tokenizers.training import train_tokenizer
from tests.encoders.pretraining_fixtures import pretraining, write_corpus, write_tokenizer

SPECIAL = SpecialTokens(pad=0, cls=2, sep=3, mask=4)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with corpus, tokenizer, and the backbone of a run that was never killed."""
    folder = tmp_path_factory.mktemp("pretraining")
    write_corpus(folder)
    write_tokenizer(folder)
    run(folder, "whole")
    return folder


def run(place: Path, name: str, **changes: Any) -> dict[str, Any]:
    options = {key: changes.pop(key) for key in ("overwrite", "callbacks") if key in changes}
    tokenizer = None if "backbone" in changes else place / "tokenizer"
    return pretrain(
        place / "corpus.txt", tokenizer, place / name, pretraining(**changes), **options
    )


def network(*, weight: float = 50.0) -> ReplacedTokenDetection:
    config = network_config(
        "tiny", vocabulary=40, special=SPECIAL, dropout=0.0, discriminator_weight=weight
    )
    torch.manual_seed(0)
    return ReplacedTokenDetection(config).eval()


def batch() -> dict[str, torch.Tensor]:
    ids = torch.tensor([[2, 10, 11, 12, 3], [2, 13, 14, 3, 0]])
    return {
        "input_ids": ids,
        "token_type_ids": torch.zeros_like(ids),
        "attention_mask": (ids != 0).long(),
        "masked": torch.tensor([2, 6]),
        "draws": torch.tensor([0.3, 0.9], dtype=torch.float64),
    }


def test_generator_and_discriminator_share_their_embeddings() -> None:
    made = network()
    shared = made.discriminator.electra.embeddings
    assert made.generator.embeddings.word_embeddings.weight is shared.word_embeddings.weight
    assert made.generator.embeddings.position_embeddings.weight is shared.position_embeddings.weight
    assert made.vocabulary.weight is shared.word_embeddings.weight
    assert made.generator.encoder.layer[0] is not made.discriminator.electra.encoder.layer[0]


def test_the_losses_are_those_of_electra() -> None:
    """Against all logits of the generator, and scikit-learn's loss of the discriminator."""
    made, given = network(weight=7.0), batch()
    with torch.no_grad():
        found = made(**given)
        seen = given["input_ids"].clone()
        seen[0, 2] = seen[1, 1] = 4
        hidden = made.generator(seen, attention_mask=given["attention_mask"]).last_hidden_state
        logits = made.vocabulary(made.prediction(hidden)).log_softmax(-1)
    expected = -(logits[0, 2, 11] + logits[1, 1, 13]) / 2
    assert found.generator_loss == pytest.approx(float(expected), rel=1e-5)
    real = given["attention_mask"].bool()
    truth = found.replaced[real].numpy()
    judged = found.logits[real].sigmoid().numpy()
    discriminator = log_loss(truth, judged, labels=[False, True])
    assert found.discriminator_loss == pytest.approx(discriminator, rel=1e-5)
    assert found.loss == pytest.approx(float(expected) + 7 * discriminator, rel=1e-5)


def test_only_masked_tokens_can_be_replaced_and_a_right_guess_is_none() -> None:
    made, given = network(), batch()
    with torch.no_grad():
        made.vocabulary.bias[:] = -100
        made.vocabulary.bias[11] = (
            100  # always drawn: right in the first input, wrong in the second
        )
        found = made(**given)
    assert found.replaced.tolist() == [[False] * 5, [False, True, False, False, False]]
    assert found.correct == 0.5


def test_draws_follow_the_distribution() -> None:
    chances = torch.tensor([0.2, 0.0, 0.5, 0.3])
    draws = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    drawn = _draw(chances.log().expand(1000, 4), draws)
    assert (torch.bincount(drawn, minlength=4) - 1000 * chances).abs().max() <= 1
    edge = torch.tensor([0.0, 1 - 1e-16], dtype=torch.float64)
    assert _draw(chances.log().expand(2, 4), edge).tolist() == [0, 3]


class _Fixed:
    """Held-out batches as they are given."""

    def batches(self, epoch: int) -> list[int]:
        return [0]

    def make(self, key: int) -> dict[str, torch.Tensor]:
        return batch()


def test_quality_agrees_with_scikit_learn() -> None:
    made = network()
    figures = DetectionQuality(_Fixed())(made)  # type: ignore[arg-type]
    with torch.no_grad():
        found = made(**batch())
    real = batch()["attention_mask"].bool()
    truth, logits = found.replaced[real].numpy(), found.logits[real].numpy()
    assert truth.any()
    assert figures["average_precision"] == pytest.approx(average_precision_score(truth, logits))
    assert figures["precision"] == precision_score(truth, logits > 0, zero_division=0)
    assert figures["recall"] == recall_score(truth, logits > 0)
    assert figures["replaced_share"] == pytest.approx(truth.mean())
    assert figures["discriminator_loss"] == pytest.approx(float(found.discriminator_loss), rel=1e-5)
    assert figures["generator_loss"] == pytest.approx(float(found.generator_loss), rel=1e-5)


def test_it_learns_to_find_replaced_tokens(shared: Path, tmp_path: Path) -> None:
    corpus = shared / "data" / "corpus" / "ko-sentences.txt.gz"
    lines = list(islice(read_lines(corpus), 4_000))
    train_tokenizer(lines[:3_000], "wordpiece", 3_500).save(tmp_path / "tokenizer")
    (tmp_path / "corpus.txt").write_text("\n".join(lines), encoding="utf-8")
    long = {"budget": Budget(steps=60), "tokens": 2_048, "held_out": 200, "embeddings": "drawn"}
    first, *_, last = run(tmp_path, "learned", **long)["curve"]
    assert last["generator_loss"] < first["generator_loss"] - 0.2
    assert last["average_precision"] > 1.7 * last["replaced_share"]
    assert first["average_precision"] < 1.2 * first["replaced_share"]


def test_the_discriminator_is_an_ordinary_backbone(place: Path) -> None:
    folder = place / "whole"
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["ElectraForPreTraining"]
    assert config["hidden_dropout_prob"] == 0.1
    assert "generator" not in config
    ElectraForPreTraining.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder)
    for kind in KINDS.values():
        encoder = kind.from_backbone(str(folder), device="cpu")
        weight = encoder.model.transformers_model.get_input_embeddings().weight
        assert torch.equal(weight, model.get_input_embeddings().weight)


def test_the_folder_says_how_it_was_made(place: Path) -> None:
    record = json.loads((place / "whole" / CURVE).read_text())
    assert [row["step"] for row in record["curve"]] == [0, 2, 4, 6]
    assert record["corpus"]["sentences"] == 300
    steps = [made["step"] for made in read_provenance(place / "whole").steps]
    assert steps == ["tokenizer", "replaced token detection"]
    card = (place / "whole" / "README.md").read_text()
    assert record["corpus"]["sha256"] in card


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same_weights(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Stop(BaseException):
    """Ends a run as a kill does, but for what Python still does then."""


class StopInStep3(TrainerCallback):
    def on_step_end(self, _: Any, state: TrainerState, *__: Any, **___: Any) -> None:
        if state.global_step == 3:
            self.stop()

    def stop(self) -> None:
        raise Stop


class KillInStep3(StopInStep3):
    def stop(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def check_resumed(place: Path, name: str) -> None:
    """Go on with a run that ended in its third step, behind the checkpoint of the second."""
    assert not (place / name).exists()
    assert (place / f".{name}.work" / "checkpoints" / "checkpoint-2").is_dir()
    result = run(place, name)
    assert same_weights(place / name, place / "whole")
    assert result["curve"] == json.loads((place / "whole" / CURVE).read_text())["curve"]
    assert not (place / f".{name}.work").exists()


def test_a_stopped_run_ends_in_the_weights_of_a_whole_one(place: Path) -> None:
    with pytest.raises(Stop):
        run(place, "stopped", callbacks=[StopInStep3()])
    check_resumed(place, "stopped")


@pytest.mark.slow
def test_a_killed_run_ends_in_the_weights_of_a_whole_one(place: Path) -> None:
    script = (
        "import sys, torch; from pathlib import Path\n"
        "from tests.encoders.test_pretraining import KillInStep3, run\n"
        "torch.set_num_threads(1)\n"
        "run(Path(sys.argv[1]), 'killed', callbacks=[KillInStep3()])\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, str(place)], env=dict(os.environ), capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-500:]
    check_resumed(place, "killed")


def test_a_killed_run_of_other_settings_is_not_gone_on_with(place: Path) -> None:
    def announce(stage: str) -> None:
        if stage.startswith("pretraining"):
            raise Stop

    with pytest.raises(Stop):
        pretrain(
            place / "corpus.txt",
            place / "tokenizer",
            place / "other",
            pretraining(),
            announce=announce,
        )
    with pytest.raises(StorageError, match=r"other settings \(seed\)"):
        run(place, "other", seed=2)
    run(place, "other", seed=2, budget=Budget(steps=0), overwrite=True)


def test_another_seed_gives_other_weights_and_no_step_the_drawn_ones(place: Path) -> None:
    for name, seed in (("drawn", 1), ("drawn-again", 1), ("drawn-other", 2)):
        result = run(place, name, budget=Budget(steps=0), seed=seed)
        assert [row["step"] for row in result["curve"]] == [0]
    assert same_weights(place / "drawn", place / "drawn-again")
    assert not same_weights(place / "drawn", place / "drawn-other")


def test_minutes_become_steps_once(place: Path) -> None:
    result = run(place, "timed", budget=Budget(minutes=0.02))
    assert result["steps"] >= 1
    # The same number of steps, asked for as steps, ends in the same weights.
    run(place, "counted", budget=Budget(steps=result["steps"]))
    assert same_weights(place / "timed", place / "counted")


def test_the_trial_changes_neither_the_network_nor_the_generator() -> None:
    class Source(EpochBatches[int]):
        def batches(self, epoch: int) -> list[int]:
            return [0] * 3

        def make(self, key: int) -> dict[str, torch.Tensor]:
            return batch()

    made = network()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert seconds_a_step(made, Source(), [0] * 3) > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.state_dict().items())


def test_one_way_to_say_how_long() -> None:
    with pytest.raises(ConfigError, match="steps and minutes"):
        Budget(steps=1, minutes=1)


def test_too_few_minutes_are_refused(place: Path) -> None:
    with pytest.raises(ConfigError, match="minutes"):
        run(place, "hasty", budget=Budget(minutes=1e-9))
    assert not (place / "hasty").exists()


def test_what_cannot_be_used_is_refused_before_anything_is_written(place: Path) -> None:
    few = place / "few.txt"
    few.write_text("가 나\n")
    with pytest.raises(DataError, match="give at least 5"):
        pretrain(few, place / "tokenizer", place / "none", pretraining())
    with pytest.raises(BackboneError, match=r"tokenizer .* does not exist"):
        pretrain(few, place / "missing", place / "none", pretraining())
    with pytest.raises(StorageError, match="exists already"):
        run(place, "whole")
    assert not [path for path in place.iterdir() if "none" in path.name]


def test_a_run_goes_on_from_a_finished_backbone(place: Path) -> None:
    run(place, "continued-0", backbone=str(place / "whole"), budget=Budget(steps=0))
    before, after = (
        load_file(place / name / "model.safetensors") for name in ("whole", "continued-0")
    )
    assert before.keys() == after.keys()
    for name, weight in before.items():
        torch.testing.assert_close(after[name], weight, rtol=0, atol=0)
    result = run(place, "continued", backbone=str(place / "whole"))
    first = result["curve"][0]
    whole = json.loads((place / "whole" / CURVE).read_text("utf-8"))["curve"][-1]
    # The same discriminator, though another generator deceives it.
    assert first["discriminator_loss"] == pytest.approx(whole["discriminator_loss"], rel=0.25)
    made = [step["step"] for step in read_provenance(place / "continued").steps]
    assert made == ["tokenizer", "replaced token detection", "replaced token detection"]


def test_a_backbone_that_is_no_electra_or_a_second_tokenizer_is_refused(
    place: Path, tmp_path: Path
) -> None:
    settings = pretraining(backbone=str(place / "whole"))
    with pytest.raises(ConfigError, match="both given"):
        pretrain(place / "corpus.txt", place / "tokenizer", tmp_path / "x", settings)
    with pytest.raises(ConfigError, match="neither given"):
        pretrain(place / "corpus.txt", None, tmp_path / "x", pretraining())
    AutoModel.from_config(
        BertConfig(vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    ).save_pretrained(tmp_path / "bert")
    AutoTokenizer.from_pretrained(place / "tokenizer").save_pretrained(tmp_path / "bert")
    with pytest.raises(BackboneError, match="of the type bert"):
        pretrain(
            place / "corpus.txt", None, tmp_path / "x", pretraining(backbone=str(tmp_path / "bert"))
        )
    assert not (tmp_path / "x").exists()
