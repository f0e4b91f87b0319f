"""Rules that write a sentence otherwise and leave what it says.

Each takes an analysed sentence and returns the rewritten one, or None where it does not apply.
"""

from __future__ import annotations

import random
import unicodedata

from kosim.encoders.tokenizers.kiwi import load_kiwi
from kosim.experiments.teaching.analysis import (
    ASKED,
    STATEMENTS,
    Analysis,
    Morpheme,
    Rule,
    joined,
)
from kosim.experiments.teaching.word_lists import PEOPLE, SYNONYMS

_REQUEST = (
    (("어",), ""),
    (("어요",), ""),
    (("세요",), ""),
    (("십시오",), ""),
    (("ᆯ래",), "?"),
    (("ᆯ래요",), "?"),
    (("시/EP", "겠/EP", "어요"), "?"),
    (("ᆯ/ETM", "수/NNB", "있/VA", "나요"), "?"),
    (("ᆯ/ETM", "수/NNB", "있/VA", "을까"), "?"),
)
"""Ways to ask for something, after 어 주: endings and the sign at the end."""

_ASKING = ("어", "어요", "세요", "십시오", "ᆯ래", "ᆯ래요")
_QUESTIONS = ("어", "어요", "니", "ᆸ니까", "습니까", "나요", "냐")
_UNLIKELIER = 6.0
"""Log probability, by Kiwi, that a typo loses at least; less is another word, 감시 for 감사."""

_FIRST, _MEDIALS, _FINALS = 0xAC00, 21, 28
_BESIDE = {0: (8, 20), 1: (5,), 4: (8, 18), 5: (1,), 8: (4, 13), 13: (18, 8), 18: (13,), 20: (0,)}
"""Vowels, by their number in a syllable, that are typed for each other: neighbouring keys."""


def restyled(found: Analysis, rng: random.Random) -> str | None:
    """Say it in another speech level."""
    end = found.end
    ending, verb = found.morphemes[end].form, found.morphemes[end - 1]
    sign = found.morphemes[end + 1 :]
    if str(verb) == "주/VX" and ending in _ASKING:
        wanted = [one for one in _REQUEST if one[0] != (ending,)]
        parts, mark = rng.choice(wanted)
        spoken = [
            Morpheme(form, tag or "EF", form == "수" or form == "있")
            for form, _, tag in (each.partition("/") for each in parts)
        ]
        closing = [Morpheme(mark, "SF")] if mark else [one for one in sign if one.form != "?"]
        return found.replaced(end, len(found.morphemes), *spoken, *closing)
    if verb.tag == "VV" and not verb.spaced and found.at(end - 2).endswith("/ETM"):
        return None  # 없는가, which Kiwi takes for 없는 and 가다
    if not found.asks and found.has(*ASKED):
        return None  # a question without its mark
    stem_is_noun = verb.tag == "VCP"
    if found.asks:
        if ending not in _QUESTIONS or stem_is_noun:
            return None
        choices = ["어", "어요", "ᆸ니까"]
    elif ending in ("세요", "십시오"):
        choices = ["세요", "십시오"]
    elif ending in STATEMENTS:
        choices = ["ᆸ니다", "어요"]
        if verb.tag in ("EP", "VA", "XSA", "VCP") and verb.form not in ("겠",):
            choices.append("다")
        elif verb.tag in ("VV", "XSV") and ending != "다" and found.at(end - 2) != "듯/NNB":
            choices.append("는다")
    else:
        return None
    level = {"습니다": "ᆸ니다", "습니까": "ᆸ니까", "에요": "어요", "예요": "어요", "ᆫ다": "는다"}
    choices = [one for one in choices if one != level.get(ending, ending)]
    if found.at(end - 2) == "거/NNB":
        choices = [one for one in choices if one != "ᆸ니다"]  # 거입니다, for 것입니다, is nobody's
    if str(verb) == "보/VX":
        choices = [one for one in choices if one != "어요"]  # which would propose it
    if not choices:
        return None
    chosen = rng.choice(choices)
    if verb.tag == "VCN" and chosen == "어요":
        chosen = "에요"
    if stem_is_noun and chosen == "어요":
        chosen = "에요" if _closed(found.morphemes[end - 2].form) else "예요"
    return found.replaced(end, end + 1, Morpheme(chosen, "EF"))


def _closed(word: str) -> bool:
    """Whether a word ends in a consonant."""
    code = ord(word[-1]) - _FIRST
    return 0 <= code < 11_172 and code % _FINALS > 0


def unmarked(found: Analysis, rng: random.Random) -> str | None:
    """Leave out particles of subject, topic or object, where they do not tell who did what."""
    if sum(each.form in PEOPLE or each.tag == "NP" for each in found.morphemes) > 1:
        return None
    positions = [
        position
        for position, each in enumerate(found.morphemes[:-1])
        if each.tag in ("JKO", "JKS", "JX")
        and each.form in ("을", "를", "이", "가", "은", "는")
        and found.morphemes[position - 1].tag in ("NNG", "NNP", "NNB")
        and found.morphemes[position + 1].spaced
        and found.morphemes[position + 1].tag not in ("NNG", "NNP")  # a compound of both
    ]
    if not positions:
        return None
    gone = set(rng.sample(positions, rng.randint(1, min(2, len(positions)))))
    return joined(each for at, each in enumerate(found.morphemes) if at not in gone)


def scrambled(found: Analysis, _rng: random.Random) -> str | None:
    """Exchange the first two phrases of a simple sentence."""
    if found.has(*ASKED):
        return None
    verbs = [each for each in found.morphemes if each.tag in ("VV", "VA", "XSV", "XSA", "VCP")]
    if len(verbs) != 1 or any(each.tag in ("ETM", "ETN", "JC", "JKG") for each in found.morphemes):
        return None
    bounds = [
        position + 1
        for position, each in enumerate(found.morphemes[:-1])
        if each.tag in ("JKS", "JKO", "JKB", "JX")
        and each.form not in ("와", "과", "랑", "이랑", "하고", "보다", "처럼", "이나", "나")
        and found.morphemes[position + 1].spaced
    ]
    if len(bounds) < 2 or verbs[0] in found.morphemes[: bounds[1]]:
        return None
    one, two = found.morphemes[: bounds[0]], found.morphemes[bounds[0] : bounds[1]]
    told = found.has(
        "상대", "대상", "기준", "바탕", "소재", "배경", "덕분", "일정", "약속"
    )  # with what is before
    topics = {one[-1].tag, two[-1].tag} == {"JX", "JKS"}
    if told or topics or "MAG" in (one[0].tag, two[0].tag):
        return None
    compared = any(each.form == "보다" for each in (*one, *two))
    if compared or one[-1].tag == two[-1].tag or one[0].tag == "MAJ":
        return None
    first = [two[0]._replace(spaced=False), *two[1:]]
    second = [one[0]._replace(spaced=True), *one[1:]]
    return joined([*first, *second, *found.morphemes[bounds[1] :]])


def respaced(found: Analysis, rng: random.Random) -> str | None:
    """Leave out spaces: all, or some."""
    words = found.text.split(" ")
    share = rng.choice([1.0, 0.5])
    written = words[0]
    for word in words[1:]:
        written += ("" if rng.random() < share else " ") + word
    return written


def mistyped(found: Analysis, rng: random.Random) -> str | None:
    """Type a neighbouring vowel, or two syllables in the wrong order, in a long word."""
    words = found.text.split(" ")
    long = [at for at, word in enumerate(words) if len(word.rstrip(".?!")) >= 4]
    if not long:
        return None
    at = rng.choice(long)
    word = words[at]
    position = rng.randrange(1, len(word.rstrip(".?!")) - 1)
    code = ord(word[position]) - _FIRST
    if not 0 <= code < 11_172:
        return None
    if rng.random() < 0.4 and position + 1 < len(word.rstrip(".?!")) - 1:
        word = word[:position] + word[position + 1] + word[position] + word[position + 2 :]
    else:
        initial, rest = divmod(code, _MEDIALS * _FINALS)
        medial, final = divmod(rest, _FINALS)
        if medial not in _BESIDE:
            return None
        other = rng.choice(_BESIDE[medial])
        wrong = chr(_FIRST + (initial * _MEDIALS + other) * _FINALS + final)
        word = word[:position] + wrong + word[position + 1 :]
    likely, mistyped = (load_kiwi().analyze(one)[0][1] for one in (words[at], word))
    if mistyped > likely - _UNLIKELIER:
        return None
    return " ".join([*words[:at], word, *words[at + 1 :]])


def resaid(found: Analysis, rng: random.Random) -> str | None:
    """Put a synonym in place of a word."""
    positions = [
        position
        for position, each in enumerate(found.morphemes)
        if str(each) in SYNONYMS
        and (each.spaced or position == 0)
        and not found.at(position + 1).endswith(("/XSV", "/XSN", "/NNG", "/NNP", "/ETN"))
        and not (found.at(position + 1) == "어/EC" and found.at(position + 2) == "하/VX")
    ]
    if not positions:
        return None
    position = rng.choice(positions)
    form, _, tag = SYNONYMS[found.at(position)].partition("/")
    if found.has(form):
        return None
    old = found.morphemes[position]
    return found.replaced(position, position + 1, Morpheme(form, tag, old.spaced))


def full_width(found: Analysis, _rng: random.Random) -> str | None:
    """Write digits and signs in their full-width forms."""
    changed = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in found.text)
    return changed if any(one.isdigit() for one in found.text) else None


def decomposed(found: Analysis, _rng: random.Random) -> str | None:
    """Write it in canonical decomposition (NFD)."""
    return unicodedata.normalize("NFD", found.text)


REWRITES: dict[str, Rule] = {
    "style": restyled,
    "particle": unmarked,
    "order": scrambled,
    "spacing": respaced,
    "typo": mistyped,
    "synonym": resaid,
    "full-width": full_width,
    "decomposed": decomposed,
}
"""The rules by what they change of the writing."""
