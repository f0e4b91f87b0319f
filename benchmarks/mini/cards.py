"""The model cards of what is bundled: every figure comes from a committed result or the manifest.

    python -m benchmarks.mini.cards

writes the cards again, for the backbone and for both encoders: ``README.md`` in the form of the
Hugging Face hub, and ``card.toml``, which the service's page shows.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click
import tomli_w
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kosim.encoders.artifact import MODEL_CARD, read_manifest
from kosim.encoders.bundle import BUNDLED, MINI, MINI_BI, MINI_CROSS
from kosim.encoders.model_card import CARD, CardResult, ModelCard, Said
from kosim.encoders.provenance import Provenance, read_provenance
from kosim.encoders.storage import write_text
from kosim.experiments.probe.report import PHENOMENA
from kosim.experiments.teaching.minimal_pairs import LABELS

RESULTS = Path(__file__).parents[1] / "results"
COMPARISON, PROBE = Path("klue-sts-mini/results.json"), Path("probe/results.json")
CHOICE = Path("mini/bundled-encoders.json")
LICENCE = "CC BY-SA 4.0"
METRICS = {"pearson": "Pearson", "spearman": "Spearman", "f1": "F1 at 3.0"}
PROBED = "accuracy"
KLUE = Said(en="KLUE-STS dev", ko="KLUE-STS dev")
ITEMS = Said(en="minimal pairs of kosim probe", ko="kosim probe의 최소대립쌍")


def backbone_card(provenance: Provenance, results: Path) -> str:
    """Return the card of the backbone, with the figures of the runs that there are."""
    files = {kind: results / kind / "results.json" for kind in ("bi", "cross")}
    runs = {kind: _read(file)["encoders"] for kind, file in files.items() if file.is_file()}
    return _rendered(
        "card.md.j2",
        made=provenance.steps,
        versions=provenance.versions,
        starts={
            start: [runs.get(kind, {}).get(start) for kind in files]
            for start in dict.fromkeys(start for found in runs.values() for start in found)
        },
    )


def encoder_card(name: str, results: Path = RESULTS) -> tuple[str, ModelCard]:
    """Return both forms of the card of a bundled encoder: the hub's, and the page's."""
    manifest = read_manifest(BUNDLED / name)
    training = manifest.training or {}
    compared, probed = _read(results / COMPARISON), _read(results / PROBE)["encoders"][name]
    test, pairs = compared["encoders"][manifest.kind]["test"], compared["data"]["used"]["test"]
    validation = training["history"][training["best_epoch"] - 1]["pearson"]
    shares = {one: found["share"]["value"] for one, found in probed["phenomena"].items()}
    hardest = sorted(shares, key=lambda one: (shares[one], one))[:3]
    teaching = training.get("teaching", {})
    sources = Counter(teaching.get("silver", {}).get("sources", {}))
    taught = sources.total() if teaching.get("order") == "mixed" else 0
    begun = (
        Said(en="the bundled backbone mini", ko="함께 들어 있는 백본 mini를")
        if teaching.get("start", MINI) == MINI
        else Said(
            en="the bundled backbone mini fine-tuned on KLUE-STS",
            ko="함께 들어 있는 백본 mini를 KLUE-STS로 먼저 학습한 뒤",
        )
    )
    seeds = _read(results / CHOICE)[name].get("seeds", 3)
    best = Said(en="", ko="")
    if seeds > 1:
        best = Said(
            en=f"; of {seeds} seeds the best on the validation pairs",
            ko=f"; 시드 {seeds}개 가운데 검증 데이터에서 가장 좋은 것",
        )
    card = ModelCard(
        licence=LICENCE,
        data=Said(
            en=f"KLUE-STS train: {training['train_pairs'] - taught:,} pairs for training and "
            f"{training['validation_pairs']:,} for validation (reviews of lodgings, policy news, "
            f"requests to a smart home){_lessons(sources).en}",
            ko=f"KLUE-STS 학습 데이터: 학습 {training['train_pairs'] - taught:,}쌍, 검증 "
            f"{training['validation_pairs']:,}쌍 (숙소 후기, 정책 뉴스, 스마트홈 명령)"
            f"{_lessons(sources).ko}",
        ),
        recipe=Said(
            en=f"{training['best_epoch']} epochs from {begun.en}, learning rate "
            f"{training['config']['learning_rate']:g}, batches of "
            f"{training['config']['batch_size']}{best.en}",
            ko=f"{begun.ko} {training['best_epoch']}에폭 학습, 학습률 "
            f"{training['config']['learning_rate']:g}, 배치 {training['config']['batch_size']}"
            f"{best.ko}",
        ),
        results=(
            *(
                CardResult(metric=label, data=KLUE, n=pairs, **test[metric])
                for metric, label in METRICS.items()
            ),
            CardResult(
                metric=PROBED, data=ITEMS, n=probed["overall"]["n"], **probed["overall"]["share"]
            ),
        ),
        limits=(
            Said(
                en=f"Expect less than on the validation pairs, where its Pearson is "
                f"{validation:.3f}: they come from the training split.",
                ko=f"검증 데이터에서는 피어슨이 {validation:.3f}이지만, 학습 데이터에서 떼어 낸 "
                "쌍이므로 다른 데이터에서는 더 낮습니다.",
            ),
            Said(
                en="Weakest phenomena, by the share of minimal pairs ordered rightly: "
                + ", ".join(f"{PHENOMENA[one].en} ({shares[one]:.0%})" for one in hardest)
                + ".",
                ko="최소대립쌍 가운데 옳게 배열한 비율이 가장 낮은 현상은 "
                + ", ".join(f"{PHENOMENA[one].ko}({shares[one]:.0%})" for one in hardest)
                + "입니다.",
            ),
            Said(
                en=f"Inputs are cut after {manifest.settings['max_length']} tokens.",
                ko=f"입력은 토큰 {manifest.settings['max_length']}개에서 잘립니다.",
            ),
            Said(
                en="Texts of other domains, and other languages, were not measured.",
                ko="다른 분야의 글과 다른 언어로는 평가하지 않았습니다.",
            ),
        ),
    )
    text = _rendered(
        "encoder_card.md.j2",
        name=name,
        kind=manifest.kind,
        threshold=manifest.threshold,
        f1_tuned=test["f1_tuned"],
        seed=_read(results / CHOICE)[name]["seed"],
        script="taught.sh" if teaching else "make.sh",
        versions=manifest.versions,
        card=card,
    )
    return text, card


def _lessons(sources: Counter[str]) -> Said:
    """Return what was learnt beside people's labels."""
    ruled = sum(sources[name] for name in LABELS)
    intents = sources["intent"] + sources["other intent"]
    labelled = sources.total() - ruled - intents
    en, ko = "", ""
    if ruled:
        en += f"; {ruled:,} minimal pairs made by rules"
        ko += f"; 규칙으로 만든 최소대립쌍 {ruled:,}쌍"
    if intents:
        en += f"; {intents:,} pairs of wordings of ParaKQC's intents"
        ko += f"; ParaKQC의 의도를 달리 표현한 문장 {intents:,}쌍"
    if labelled:
        en += f"; {labelled:,} pairs of public sentences labelled by encoders"
        ko += f"; 공개 문장 가운데 인코더가 점수를 매긴 {labelled:,}쌍"
    return Said(en=en, ko=ko)


def write_cards() -> None:
    """Write the cards of the backbone and of both encoders into the package."""
    backbone = backbone_card(read_provenance(BUNDLED / MINI), RESULTS / "mini")
    write_text(BUNDLED / MINI / MODEL_CARD, backbone)
    for name in (MINI_BI, MINI_CROSS):
        text, card = encoder_card(name)
        write_text(BUNDLED / name / MODEL_CARD, text)
        write_text(BUNDLED / name / CARD, as_toml(card))


def as_toml(card: ModelCard) -> str:
    """Return a card as the content of its file."""
    return tomli_w.dumps(card.model_dump())


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return content


def _figure(one: dict[str, float] | CardResult) -> str:
    one = one.model_dump() if isinstance(one, CardResult) else one
    return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"


def _rendered(template: str, **values: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["figure"] = _figure
    return environment.get_template(template).render(**values)


@click.command()
def main() -> None:
    """Write the model cards of what is bundled from the committed results."""
    write_cards()


if __name__ == "__main__":
    main()
