"""How the settings of a training become one of sentence-transformers' trainers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback

from kosim.encoders.base import PairEncoder
from kosim.encoders.records import LABEL_HIGH, LabelledPairs
from kosim.encoders.training import ranks
from kosim.encoders.training.config import TrainingConfig
from kosim.encoders.training.losses import TRAINING_BY_KIND, make_loss
from kosim.encoders.training.validation import PairValidator, Patience


def make_patience(config: TrainingConfig) -> Patience | None:
    """Return what stops training early, if anything is to."""
    if not config.patience:
        return None
    return Patience(
        config.patience,
        metric=f"eval_{config.select}",
        greater_is_better=config.select != "loss",
        warmup=config.warmup * config.epochs,
    )


def make_trainer(
    encoder: PairEncoder,
    train_pairs: LabelledPairs,
    validation_pairs: LabelledPairs,
    config: TrainingConfig,
    folder: Path,
    callbacks: Sequence[TrainerCallback],
) -> Any:
    """Return sentence-transformers' trainer for an encoder, with settings that were checked."""
    of_kind = TRAINING_BY_KIND[encoder.kind]
    arguments = of_kind.arguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        per_device_train_batch_size=config.batch_size // ranks.world_size(),
        per_device_eval_batch_size=64,
        gradient_accumulation_steps=config.gradient_accumulation,
        max_grad_norm=config.max_gradient_norm,
        bf16=config.precision == "bf16",
        use_cpu=encoder.model.device.type == "cpu",
        seed=config.seed,
        prompts=of_kind.prompt(encoder),
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=f"eval_{config.select}",
        greater_is_better=config.select != "loss",
        report_to=config.report_to,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        dataloader_drop_last=ranks.world_size() > 1,  # or the trainer warns; nothing is dropped
        ddp_find_unused_parameters=of_kind.find_unused,
    )
    # The model card's example: left to be drawn from the pairs, it prints a progress bar.
    encoder.model.model_card_data.widget = [{"text": "거실 불을 꺼 줘."}]
    trainer = of_kind.trainer(
        model=encoder.model,
        args=arguments,
        train_dataset=_dataset(train_pairs, both_orders=config.swap_augmentation),
        eval_dataset=_dataset(validation_pairs),
        loss=make_loss(encoder, config),
        evaluator=PairValidator(encoder, validation_pairs),
        callbacks=list(callbacks),
    )
    trainer.remove_callback(PrinterCallback)  # a library never prints
    trainer.count_tokens = encoder.token_lengths
    trainer.group_by_length = config.group_by_length
    if ranks.rank() > 0:  # the same weights, but other pairs and other dropout
        torch.manual_seed(config.seed + ranks.rank())
    return trainer


def _dataset(pairs: LabelledPairs, *, both_orders: bool = False) -> Dataset:
    first, second = list(pairs.sentence1), list(pairs.sentence2)
    labels = (pairs.labels / LABEL_HIGH).tolist()
    if both_orders:
        first, second, labels = first + second, second + first, labels + labels
    return Dataset.from_dict({"sentence1": first, "sentence2": second, "label": labels})
