"""``kosim compare``: train both encoders and tell whether the difference is real."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kosim.encoders.errors import ConfigError
from kosim.encoders.language import Line, Text, both, text
from kosim.encoders.training import ranks
from kosim.encoders.training.config import TrainingConfig
from kosim.experiments.cli.console import chosen_language, output, print_json, table
from kosim.experiments.cli.encoder_options import device_option, model_option
from kosim.experiments.cli.group import keep_run
from kosim.experiments.cli.options import (
    RECIPE,
    backbone_option,
    data_options,
    given,
    option,
    run_options,
    setting,
    training_options,
    whole_numbers,
)
from kosim.experiments.cli.progress import training_progress
from kosim.experiments.cli.summary import say_stages, show
from kosim.experiments.settings import (
    CompareSettings,
    DataSettings,
    is_pairs,
    named_after,
    read_comparison,
)
from kosim.experiments.study.notation import DASH, KIND_NAMES, count, duration

if TYPE_CHECKING:
    from kosim.experiments.comparison.dry_run import PlannedContender


@click.command("compare")
@click.argument("config", type=RECIPE, default="quickstart", metavar="[CONFIG|FILE]")
@data_options
@backbone_option(
    "--backbone",
    help="Backbone of both encoders: a folder, a hub id, mini, or scratch.",
    shown_default="from CONFIG",
)
@backbone_option("--bi-backbone", help="Backbone of the bi-encoder.", shown_default="--backbone")
@backbone_option(
    "--cross-backbone", help="Backbone of the cross-encoder.", shown_default="--backbone"
)
@training_options
@setting(
    TrainingConfig,
    "swap_augmentation",
    help="Also train cross-encoders on every pair with the sentences in the other order.",
)
@option(
    "--seeds",
    metavar="1,2,3",
    help="Seeds of the training runs, one run for each.",
    shown_default="from CONFIG",
)
@model_option(
    "--bi", multiple=True, help="Trained bi-encoder to compare as it is: a folder or hub id."
)
@model_option(
    "--cross", multiple=True, help="Trained cross-encoder to compare as it is: a folder or hub id."
)
@option(
    "--slices",
    metavar="COLUMN,...",
    help="Columns of the test file whose values become slices of the results.",
    shown_default="from CONFIG",
)
@option("--no-train", is_flag=True, hidden=True, help="Train nothing; implied by --bi and --cross.")
@option(
    "--tune",
    type=int,
    metavar="N",
    help="Try N trainings of each encoder on the validation pairs, and compare the best of each.",
)
@option(
    "--dry-run",
    is_flag=True,
    help="Print the data, the steps, the memory and the time of the run, and train nothing.",
)
@device_option
@run_options("runs/NAME, the name of the pairs or of CONFIG", resumed=True)
def compare_command(config: str, **options: Any) -> None:
    """Train a bi-encoder and a cross-encoder on the same pairs and compare them.

    CONFIG is quickstart, klue-koelectra-base, klue-koelectra-best or a TOML file, FILE a table of
    pairs; options override them. Without test pairs, a fifth of the pairs becomes the test set.

    \b
    Examples:
      kosim compare pairs.csv
      kosim compare --train train.csv --test test.csv --seeds 1,2,3
      kosim compare --bi mini-bi --cross mini-cross --test test.csv
    """
    if is_pairs(config) and (options["train"] or options["dataset"]):
        other = "--train" if options["train"] else "--dataset"
        raise ConfigError(f"both {config} and {other} name training pairs; give one of them")
    recipe = read_comparison(config)
    if config == "quickstart" and (data := _data(options)):
        recipe["name"] = named_after(data)
    settings = CompareSettings.parse(_override(recipe, options))
    if options["dry_run"]:
        _print_plan(settings, options["tune"], as_json=options["as_json"])
        return
    from kosim.experiments.comparison.report import COMPARISON
    from kosim.experiments.comparison.run import compare
    from kosim.experiments.study.run_folder import choose_folder

    again = {name: options[name] for name in ("resume", "overwrite")}
    out = options["out"] or ranks.on_main(lambda: choose_folder(settings.name, None, **again))
    keep_run(out, _tuning_folder(out))
    if options["tune"] is not None:
        settings = _tuned(settings, out, options)
    with training_progress(quiet=options["as_json"]) as callbacks:
        results = compare(
            settings,
            out,
            resume=options["resume"],
            overwrite=options["overwrite"],
            callbacks=callbacks,
            progress=say_stages(quiet=options["as_json"]),
            language=chosen_language(),
        )
    if not ranks.is_main():
        return
    show(COMPARISON, results, out, as_json=options["as_json"])


def _tuning_folder(out: Path) -> Path:
    return out.with_name(f"{out.name}-tuning")


def _tuned(settings: CompareSettings, out: Path, options: dict[str, Any]) -> CompareSettings:
    from kosim.experiments.tuning.equal_trials import tune_alike

    if ranks.world_size() > 1:
        raise ConfigError(
            "--tune runs in one process; leave out torchrun, or tune first with kosim tune"
        )
    return tune_alike(
        settings,
        _tuning_folder(out),
        options["tune"],
        resume=options["resume"],
        progress=say_stages(quiet=options["as_json"]),
    )


def _print_plan(settings: CompareSettings, trials: int | None, *, as_json: bool) -> None:
    from kosim.experiments.comparison.dry_run import plan_comparison
    from kosim.experiments.study.report.records import word

    plan = plan_comparison(settings, trials=trials, progress=say_stages(quiet=as_json))
    if as_json:
        print_json(plan.as_json())
        return
    language = chosen_language()
    pairs = Line.join(
        ", ",
        [
            both("{n} {part}", "{part} {n}쌍", n=count(n), part=word(p))
            for p, n in plan.pairs.items()
        ],
    )
    said = both(
        "{name}: {pairs} pairs{split_off}",
        "{name}: {pairs}{split_off}",
        name=plan.name,
        pairs=pairs,
        split_off=Line(
            "; those of the test split off so that no sentence stands on both sides",
            "(평가 쌍은 학습 쌍과 같은 문장이 없도록 떼어 둠)",
        )
        if plan.split_off
        else "",
    )
    output.print(text(said, language))
    shown = table(
        "",
        *(
            text(KIND_NAMES[contender.kind], language) if name == contender.kind else name
            for name, contender in plan.contenders.items()
        ),
    )
    facts = [_planned(contender) for contender in plan.contenders.values()]
    for fact in facts[0]:
        if any(contender[fact] != DASH for contender in facts):
            shown.add_row(
                text(fact, language), *[text(contender[fact], language) for contender in facts]
            )
    output.print(shown)
    if not any(contender.cost for contender in plan.contenders.values()):
        return
    ends = both(
        "Training takes about {time} if every encoder trains to its ceiling of epochs; patience "
        "may end it earlier.",
        "모든 인코더가 최대 에폭까지 학습하면 약 {time} 걸립니다. 조기 종료로 더 일찍 끝날 수 "
        "있습니다.",
        time=duration(plan.seconds),
    )
    output.print(text(ends, language))


def _planned(contender: PlannedContender) -> dict[Line, Text]:
    cost = contender.cost
    memory = f"{cost.peak_memory / 2**30:.1f} GiB" if cost and cost.peak_memory else DASH
    return {
        Line("model", "모델"): contender.backbone,
        Line("weights", "파라미터"): count(contender.parameters),
        Line("precision", "정밀도"): cost.precision if cost else DASH,
        Line("epochs, at most", "최대 에폭"): count(cost.epochs) if cost else DASH,
        Line("steps an epoch", "에폭당 스텝"): count(cost.steps_per_epoch) if cost else DASH,
        Line("time of a step", "한 스텝의 시간"): duration(cost.seconds_per_step) if cost else DASH,
        Line("time of a validation", "검증 한 번의 시간"): (
            duration(cost.validation_seconds) if cost else DASH
        ),
        Line("peak memory", "최대 메모리"): memory,
        Line("seeds", "시드"): count(contender.seeds),
        Line("trials before", "먼저 시도할 설정"): count(contender.trials or None),
        Line("time of all", "전체 시간"): (
            duration(contender.seconds) if cost else Line("not trained", "학습 안 함")
        ),
    }


def _data(options: dict[str, Any]) -> str | None:
    """Return the file or data set that a run is about, where an option names one."""
    return options["train"] or options["test"] or options["dataset"]


def _override(raw: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the raw settings with every option that was given in its place."""
    data = dict(raw.get("data", {}))
    replaced = given(options, DataSettings)
    if "dataset" in replaced:
        data.pop("train", None)
        data.pop("test", None)
    if "train" in replaced or "test" in replaced:
        data.pop("dataset", None)
    saved = _saved_encoders(options)
    encoders = saved or {
        name: _override_encoder(contender, options)
        for name, contender in raw.get("encoders", {}).items()
    }
    if saved:
        _refuse_training_options(options)
    changed = {**raw, "data": {**data, **replaced}, "encoders": encoders}
    if options["seeds"]:
        changed["seeds"] = whole_numbers("--seeds", options["seeds"])
    if options["slices"] is not None:
        changed["evaluation"] = {
            **raw.get("evaluation", {}),
            "slices": options["slices"].split(","),
        }
    if options["device"]:
        changed["device"] = options["device"]
    return changed


def _saved_encoders(options: dict[str, Any]) -> dict[str, Any]:
    folders = {kind: options[kind] for kind in ("bi", "cross")}
    if options["no_train"] and not any(folders.values()):
        raise ConfigError("--no-train goes with saved encoders: --bi DIR and --cross DIR")
    return {
        kind if number == 1 else f"{kind}-{number}": {"kind": kind, "artifact": str(folder)}
        for kind, given_folders in folders.items()
        for number, folder in enumerate(given_folders, start=1)
    }


def _refuse_training_options(options: dict[str, Any]) -> None:
    """Refuse options that tell how to train, where saved encoders are compared as they are."""
    training = given(options, TrainingConfig)
    others = ["backbone", "bi_backbone", "cross_backbone", "max_length", "tune"]
    if not options["train"] and not options["dataset"]:
        others.append("limit")
    told = [*training, *(name for name in others if options[name] is not None)]
    if told:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in told)
        raise ConfigError(
            f"{names} would say how to train, but --bi and --cross name saved encoders, which are "
            "compared as they are; leave one or the other out"
        )


def _override_encoder(contender: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    own = options.get(f"{contender.get('kind')}_backbone") or options["backbone"]
    told = given(options, TrainingConfig)
    if contender.get("kind") == "bi":
        told.pop("swap_augmentation", None)  # whose score does not depend on the order
    training = {**contender.get("training", {}), **told}
    changed = {**contender, "training": training}
    if own:
        changed["backbone"] = own
        changed.pop("revision", None)
    if options["max_length"] is not None:
        changed["max_length"] = options["max_length"]
    return changed
