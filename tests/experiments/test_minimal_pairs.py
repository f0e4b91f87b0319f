"""Minimal pairs to train on: each rule on sentences with known answers, and none of the probe."""

from __future__ import annotations

import itertools
import random
import re
import unicodedata
from collections import Counter

import pytest

from benchmarks.probes.generate import CONTRASTS as PROBED
from benchmarks.probes.generate import DOMAINS, items, read_templates
from kosim.encoders.errors import ConfigError, DataError, MissingExtraError
from kosim.encoders.records import LabelledPairs
from kosim.encoders.tokenizers.kiwi import load_kiwi
from kosim.experiments.data.datasets import load_dataset
from kosim.experiments.teaching.analysis import analyse
from kosim.experiments.teaching.commands import (
    KINDS,
    commands,
    read_commands,
    topics,
    with_particle,
)
from kosim.experiments.teaching.contrasts import CONTRASTS
from kosim.experiments.teaching.minimal_pairs import (
    IDENTICAL,
    LABELS,
    _changed,
    _identical,
    _unrelated,
    minimal_pairs,
)
from kosim.experiments.teaching.rewrites import REWRITES
from kosim.experiments.teaching.word_lists import ANTONYMS, NAMES, QUANTITIES, SYNONYMS, TIMES

KNOWN = [
    ("negation", "회의는 두 시에 시작한다.", "회의는 두 시에 시작하지 않는다."),
    ("negation", "나는 학교에 가지 않았다.", "나는 학교에 갔다."),
    ("negation", "나는 밥을 안 먹었다", "나는 밥을 먹었다"),
    ("negation", "여기는 조용한 숙소입니다.", "여기는 조용한 숙소가 아닙니다."),
    ("negation", "근처에 편의점이 있어요", "근처에 편의점이 없어요"),
    ("negation", "메일을 지워줘", "메일을 지우지 말아 줘"),
    ("negation", "문을 두드리지 마세요", None),
    ("negation", "회의가 두 시에 시작하나요?", None),
    ("negation", "아무도 오지 않았다", None),
    ("negation", "표를 예매하지 못했지만 괜찮다", "표를 예매했지만 괜찮다"),
    ("antonym", "거실 불을 켜 주세요", "거실 불을 꺼 주세요"),
    ("number", "회의는 즐겁게 끝났다", None),
    ("time", "약속은 오전에 있다", "약속은 오후에 있다"),
    ("role", "엄마가 동생을 불렀다", "엄마를 동생이 불렀다"),
    ("role", "나는 그에게 책을 줬다", "그는 내게 책을 줬다"),
    ("role", "영화보다 책은 더 좋다", "책보다 영화는 더 좋다"),
    ("role", "형이 동생을 만났다", None),
    ("role", "생각보다 음식은 맛있다", None),
    ("role", "이번 영화보다 책은 좋다", None),
    ("antonym", "긍정적인 답을 받았다", "부정적인 답을 받았다"),
    ("antonym", "건강을 지킨다", None),
    ("modality", "서류를 꼭 내야 합니다", "서류를 내도 됩니다"),
    ("antonym", "다들 이 노래를 좋아한다", None),
    ("antonym", "방은 크고 침대는 좋다", None),
    ("antonym", "여행은 위험하고 불편하다", None),
    ("antonym", "다리에 상처를 입었다", None),
    ("negation", "연기는 말할 것도 없다", None),
    ("negation", "영화를 잘 봤다", None),
    ("negation", "전편에 못 미친다", None),
    ("negation", "비가 온다고 합니다", None),
    ("negation", "오늘 날씨 알려줘", "오늘 날씨 알려주지 마"),
    ("order", "가히 상상을 결말이 초월하네", None),
    ("style", "이건 영화가 아니다", "이건 영화가 아니에요"),
    ("modality", "여기서 버스를 탈 수 있다", "여기서 버스를 타야 한다"),
    ("quantity", "그는 항상 웃었다", "그는 가끔 웃었다"),
    ("particle", "회의가 두 시에 끝난다", "회의 두 시에 끝난다"),
    ("order", "회의가 두 시에 끝난다", "두 시에 회의가 끝난다"),
    ("order", "내가 산 책을 그에게 줬다", None),
    ("synonym", "음식이 아주 뜨거웠다", "음식이 매우 뜨거웠다"),
    ("full-width", "3시에 만나요", "３시에 만나요"),
]


@pytest.fixture(autouse=True)
def _kiwi() -> None:
    pytest.importorskip("kiwipiepy")


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    train, _ = load_dataset("sample")
    assert train is not None
    return [*train.frame["sentence1"][:500], *train.frame["sentence2"][:500]]


@pytest.fixture(scope="module")
def made(corpus: list[str]) -> LabelledPairs:
    pytest.importorskip("kiwipiepy")
    return minimal_pairs(corpus, 300, 0)


@pytest.mark.parametrize(("name", "sentence", "wanted"), KNOWN, ids=range(len(KNOWN)))
def test_a_rule_changes_a_sentence(name: str, sentence: str, wanted: str | None) -> None:
    (found,) = analyse([sentence])
    changed = {**CONTRASTS, **REWRITES}[name](found, random.Random(0))
    assert changed == wanted


def test_numbers_keep_to_what_their_unit_allows() -> None:
    (found,) = analyse(["회의는 11시에 끝났다."])
    said = {CONTRASTS["number"](found, random.Random(seed)) for seed in range(50)}
    hours = {int(re.findall(r"\d+", str(one))[0]) for one in said}
    assert len(hours) > 1
    assert hours <= set(range(1, 13)) - {11}


def test_requests_are_said_in_every_style() -> None:
    (found,) = analyse(["거실 불 꺼 줘"])
    said = {REWRITES["style"](found, random.Random(seed)) for seed in range(60)}
    assert {"거실 불 꺼 주세요", "거실 불 꺼 줄래?", "거실 불 꺼 줄 수 있나요?"} <= said


def test_unrelated_texts_speak_of_nothing_in_common() -> None:
    drawn = itertools.islice(_unrelated(["방이 넓어요", "비가 와요"], random.Random(1)), 200)
    pairs = [(one, other) for one, other, _ in drawn]
    assert not any(topics(one) & topics(other) for one, other in pairs)
    assert {len(one) > 1 for one, _ in pairs} == {True, False}  # letters too


def test_what_is_not_understood_is_passed_over() -> None:
    assert not list(analyse(["ㅋㅋㅋㅋ 대박", "불", "x" * 500, "", "끝났다. 갔다.", "방 안 공기"]))


def test_pairs_are_as_many_and_labelled_by_phenomenon(made: LabelledPairs) -> None:
    assert len(made) == 300
    assert [LABELS[name] for name in made.sources] == made.labels.tolist()
    assert {*CONTRASTS, "paraphrase", "unrelated", "style", "spacing"} <= set(made.sources)
    low = (made.labels <= 2).mean()
    assert 0.45 < low < 0.8  # neither kind drowns the other


def test_no_pair_is_there_twice(made: LabelledPairs) -> None:
    assert max(Counter(frozenset(pair) for pair in made.pairs).values()) == 1
    same = [one == other for one, other in made.pairs]
    assert same == [name == "identical" for name in made.sources]
    assert sum(same) == round(IDENTICAL * len(made))
    drawn = list(_identical(["가", "나"] * 300, random.Random(0)))
    assert len(drawn) == len(set(drawn)) > 2


def test_the_seed_decides(corpus: list[str]) -> None:
    one, again = (minimal_pairs(iter(corpus), 40, 3) for _ in range(2))
    assert one.pairs == again.pairs
    assert one.pairs != minimal_pairs(corpus, 40, 4).pairs


def test_rewritten_pairs_hold_the_same_letters(made: LabelledPairs) -> None:
    for (one, other), name in zip(made.pairs, made.sources, strict=True):
        if name in ("decomposed", "full-width"):
            assert unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", other)
        if name == "spacing":
            assert one.replace(" ", "") == other.replace(" ", "")


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="0 minimal pairs"):
        minimal_pairs(["방이 넓다"], 0, 0)
    with pytest.raises(DataError, match=r"1 sentences give only [\d,]+ of 5,000"):
        made_by = "kosim.experiments.teaching.minimal_pairs._commanded"
        monkeypatch.setattr(made_by, lambda *_: iter(()))
        minimal_pairs(["회의는 두 시에 시작한다."], 5_000, 0)


def test_without_kiwi_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(purpose: str) -> str:
        raise MissingExtraError(f'{purpose} needs kiwipiepy: pip install "kosim[lexical]"')

    monkeypatch.setattr("kosim.experiments.teaching.analysis.kiwi_version", missing)
    with pytest.raises(MissingExtraError, match=r"kosim\[lexical\]"):
        minimal_pairs(["회의는 두 시에 시작한다."], 5, 0)


def test_particles_follow_the_final_consonant() -> None:
    said = [with_particle(word, "으로") for word in ("부산", "제주", "서울")]
    assert said == ["부산으로", "제주로", "서울로"]


def test_two_words_of_a_slot_change_places_in_the_other_meaning() -> None:
    (line,) = [one for one in read_commands()[1]["role"] if "{goods1} 말고 {goods2:을}" in one[0]]
    assert line[1].startswith("{goods2} 말고 {goods1:을} 주세요 | {goods1:을} 주고 {goods2:은}")
    for kind in KINDS:
        for said in itertools.islice(commands(kind, random.Random(0)), 300):
            assert not any("{" in text for text in said)
            assert said.contrast not in (said.sentence, said.paraphrase)
            assert said.sentence != said.paraphrase


def test_roles_come_with_another_order_that_keeps_them() -> None:
    wanted = dict.fromkeys((*CONTRASTS, *REWRITES), 0) | {"role": 2, "style": 9, "order": 1}
    made = list(_changed(["엄마가 동생을 불렀다"], wanted, random.Random(0)))
    assert [name for *_, name in made] == ["role", "order"]
    assert {"엄마가 동생을 불렀다", "동생을 엄마가 불렀다"} == set(made[1][:2])


def test_words_for_one_thing_are_paraphrases_and_no_contrast() -> None:
    words, _ = read_commands()

    def lit(text: str) -> tuple[str, str] | None:
        rooms, lights = "|".join(words["room"]), "|".join(words["light"])
        found = re.match(rf"({rooms})(?:에 있는)? ({lights})을? ?(?:좀 )?[꺼켜]", text)
        return (found[1], found[2]) if found else None

    drawn = itertools.islice(commands("name", random.Random(0)), 8_000)
    pairs = [(lit(said.sentence), lit(said.contrast)) for said in drawn]
    both = [(one, other) for one, other in pairs if one and other]
    assert len(both) > 20
    assert all(one[0] != other[0] and one[1] == other[1] for one, other in both)
    drawn = itertools.islice(commands("antonym", random.Random(0)), 1_000)
    again = {(lit(said.sentence), lit(said.paraphrase)) for said in drawn}
    assert any(one and other and one[1] != other[1] for one, other in again)


def test_no_command_uses_words_or_templates_of_the_probe() -> None:
    templates = [template for domain in DOMAINS for template in read_templates(domain)]
    # Two-part slots are contrasts: months, weekdays and people are too few to hold out.
    held_out = {
        word
        for template in templates
        for name, entries in template.slots.items()
        if "/" not in name
        for (word,) in entries
    }
    words, lines = read_commands()
    own = {word for listed in words.values() for word in listed}
    exchanged = {word for group in (*NAMES, *TIMES) for word in group}
    assert not held_out & (own | exchanged)
    probed = {
        (one, _content(template.forms[other]))
        for template in templates
        for one in [_content(template.forms["sentence"])]
        for other in ("sentence", "paraphrase", "contrast", "synonym")
    }
    sides = [
        [[_content(form) for form in side.split(" | ")] for side in line]
        for listed in lines.values()
        for line in listed
    ]
    ours = {
        (one, other)
        for line in sides
        for forms in (*line, [form for side in line for form in side])
        for one in forms
        for other in forms
    }
    assert len(ours) > 1_000
    assert not probed & ours, probed & ours
    # No two words of which the probe asks whether they are opposites, or the same, are learnt.
    asked = {
        frozenset((word, changed))
        for template in templates
        for form, names in (("contrast", ("antonym", "quantity")), ("synonym", PROBED))
        if template.contrast in names
        for one, other in [(_content(template.forms["sentence"]), _content(template.forms[form]))]
        for word in {*one} - {*other}
        for changed in {*other} - {*one}
    }
    learnt = {
        frozenset((word, changed))
        for one, other in ours
        for word in {*one} - {*other}
        for changed in {*other} - {*one}
        if len({*one} ^ {*other}) <= 4
    }
    assert not asked & learnt, asked & learnt


def _content(form: str) -> tuple[str, ...]:
    """Return the words of a template that carry meaning, whatever their particles and endings."""
    text = re.sub(r"\{\w+(?::\w+)?\}", "그곳", form).replace("|", " ")
    kept = ("NNG", "NNP", "NNB", "VV", "VA", "VX", "VCN", "XR", "MAG", "MM", "XSN")
    tokens = (
        (token.form, str(token.tag).partition("-")[0]) for token in load_kiwi().tokenize(text)
    )
    return tuple(f"{word}/{tag}" for word, tag in tokens if tag in kept)


def test_no_exchanged_word_is_a_contrast_or_a_synonym_of_the_probe(made: LabelledPairs) -> None:
    probe = list(items())
    asked = {item[name] for item in probe for name in ("sentence", "same", "different")}
    assert not asked & {text for pair in made.pairs for text in pair}
    exchanged = {
        frozenset((one, other))
        for table in (ANTONYMS, QUANTITIES, SYNONYMS)
        for one, other in table.items()
    }
    probe = [item for item in probe if item["phenomenon"] in (*PROBED, "synonym")]
    texts = sorted({item[name] for item in probe for name in ("sentence", "same", "different")})
    forms = {
        text: {f"{token.form}/{str(token.tag).partition('-')[0]}" for token in tokens}
        for text, tokens in zip(texts, load_kiwi().tokenize(texts), strict=True)
    }
    for item in probe:
        wanted = "different" if item["phenomenon"] in PROBED else "same"
        one, other = forms[item["sentence"]], forms[item[wanted]]
        for word in one - other:
            for changed in other - one:
                assert frozenset((word, changed)) not in exchanged, item
