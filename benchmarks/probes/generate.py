"""Write the minimal pairs that ship with kosim: ``python -m benchmarks.probes.generate FILE``.

An item is a sentence, another that means the same, and a third that does not. A template under
``templates/`` gives a sentence in five forms, with slots for words::

    p: 다락, 온실              a slot and its words, for all templates below it in the file
    t/u: 새벽/저녁, 봄/가을     two slots that are filled together

    # negation                what the contrast of this template is
    n/m: 2/7, 3/8             slots of this template alone
    = {p} | {d:을} | 켜 줘.    the sentence; "|" bounds the parts whose order is free
    ~ ...                     the same in other words
    x ...                     the contrast
    h ...                     the same in another speech level
    y ...                     the same with one word replaced by a synonym

``{d:을}`` chooses the particle by the word's final consonant. The contrast is what must be told
apart; the phenomena of `KEEPERS` change the sentence without its meaning, by rule or by template,
and take their third sentence from the template's contrast.
"""

from __future__ import annotations

import csv
import itertools
import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from benchmarks.sample.josa import with_josa

TEMPLATES = Path(__file__).parent / "templates"
DOMAINS = ("lodging-review", "policy-news", "smart-home")
CONTRASTS = (
    "negation",
    "antonym",
    "number",
    "time",
    "place",
    "role",
    "modality",
    "quantity",
    "conditional",
)
"""Phenomena in which the third sentence must score lower than a paraphrase."""

PER_DOMAIN = 50
"""Items of a phenomenon in each domain."""

_SLOT = re.compile(r"\{(\w)(?::(\w+))?\}")
_FORMS = {"=": "sentence", "~": "paraphrase", "x": "contrast", "h": "level", "y": "synonym"}
_HEADER = ("id", "phenomenon", "domain", "sentence", "same", "different")
_MISTYPED = {0: 4, 4: 0, 8: 13, 13: 8, 1: 5, 5: 1}
"""Vowels that are mistyped for each other: ㅏㅓ ㅗㅜ ㅐㅔ."""

_OTHER_WORDS = ("본보", "행서", "공서", "공창")
"""Beginnings of mistyped words that are words of another meaning."""

Meaning = Mapping[str, str]


@dataclass
class Template:
    """One block of a template file: its contrast, its forms and the meanings it can take."""

    contrast: str
    forms: dict[str, str] = field(default_factory=dict)
    slots: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)

    def meanings(self) -> list[Meaning]:
        """Return every filling of the slots that the sentence or its contrast mentions."""
        used = {match[1] for form in self.forms.values() for match in _SLOT.finditer(form)}
        names = [name for name in self.slots if used & set(name.split("/"))]
        fillings = itertools.product(*(self.slots[name] for name in names))
        return [
            {
                letter: word
                for name, words in zip(names, filling, strict=True)
                for letter, word in zip(name.split("/"), words, strict=True)
            }
            for filling in fillings
        ]

    def render(self, form: str, meaning: Meaning, *, particles: bool = True) -> str:
        """Fill one form; without ``particles`` those of subject, topic and object are left out."""

        def fill(match: re.Match[str]) -> str:
            word, josa = meaning[match[1]], match[2]
            if not josa or (not particles and josa in ("은", "이", "을")):
                return word
            return with_josa(word, josa)

        return _SLOT.sub(fill, self.forms[form]).replace(" | ", " ")


def read_templates(domain: str) -> list[Template]:
    """Return the templates of a domain, each with the slots that stand above it."""
    common: dict[str, list[tuple[str, ...]]] = {}
    templates: list[Template] = []
    for line in (TEMPLATES / f"{domain}.txt").read_text(encoding="utf-8").splitlines():
        key, _, rest = line.partition(" ")
        if line.startswith("# "):
            templates.append(Template(contrast=rest, slots=dict(common)))
        elif key in _FORMS:
            templates[-1].forms[_FORMS[key]] = rest
        elif line:
            name, _, words = line.partition(": ")
            entries = [tuple(entry.split("/")) for entry in words.split(", ")]
            (templates[-1].slots if templates else common)[name] = entries
    return templates


def without_spaces(sentence: str) -> str:
    """Write the sentence without any space."""
    return sentence.replace(" ", "")


def mistyped(template: Template, meaning: Meaning) -> str | None:
    """Mistype a vowel in the longest word that no slot fills; None where it has two syllables.

    The first syllable stays, by which a word is recognised, and so does the last, which carries
    the grammar. Words of slots stay, because a name that is mistyped is another name.
    """
    words = template.forms["sentence"].split(" ")
    for word in sorted((one for one in words if "{" not in one), key=len, reverse=True):
        for position in range(1, len(word.rstrip(".?!")) - 1):
            code = ord(word[position]) - 0xAC00
            if not 0 <= code < 11_172:
                continue
            initial, rest = divmod(code, 588)
            nucleus, final = divmod(rest, 28)
            if nucleus not in _MISTYPED:
                continue
            wrong = chr(0xAC00 + initial * 588 + _MISTYPED[nucleus] * 28 + final)
            changed = word[:position] + wrong + word[position + 1 :]
            if changed.startswith(_OTHER_WORDS):
                continue
            text = " ".join(changed if one is word else one for one in words)
            return Template("", {"sentence": text}).render("sentence", meaning)
    return None


def full_width(sentence: str) -> str | None:
    """Write digits, Latin letters and signs in their full-width forms; None where no digit is."""
    if not any(character.isdigit() for character in sentence):
        return None
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in sentence)


def decomposed(sentence: str) -> str:
    """Write the sentence in canonical decomposition (NFD), as macOS names files."""
    return unicodedata.normalize("NFD", sentence)


def scrambled(template: Template, meaning: Meaning) -> str | None:
    """Exchange the first two free parts of the sentence."""
    parts = template.forms["sentence"].split(" | ")
    if len(parts) < 3:
        return None
    swapped = Template("", {"sentence": " ".join([parts[1], parts[0], *parts[2:]])})
    return swapped.render("sentence", meaning)


def _changed(change: Callable[[str], str | None]) -> Callable[[Template, Meaning], str | None]:
    return lambda template, meaning: change(template.render("sentence", meaning))


KEEPERS: dict[str, Callable[[Template, Meaning], str | None]] = {
    "spacing": _changed(without_spaces),
    "typo": mistyped,
    "particle": lambda template, meaning: template.render("sentence", meaning, particles=False),
    "order": scrambled,
    "honorific": lambda template, meaning: template.render("level", meaning),
    "synonym": lambda template, meaning: template.render("synonym", meaning),
    "full-width": _changed(full_width),
    "decomposed": _changed(decomposed),
}
"""Phenomena in which the second sentence is the first, written otherwise."""


def candidates(phenomenon: str, templates: list[Template]) -> Iterator[tuple[str, str, str]]:
    """Yield every (sentence, same, different) of a phenomenon that the templates can give."""
    for template in templates:
        if phenomenon in CONTRASTS and template.contrast != phenomenon:
            continue
        if phenomenon == "particle" and template.contrast == "role":
            continue  # there the particles tell who does what
        for meaning in template.meanings():
            sentence = template.render("sentence", meaning)
            if phenomenon in CONTRASTS:
                same: str | None = template.render("paraphrase", meaning)
            else:
                same = KEEPERS[phenomenon](template, meaning)
            if same is not None and same != sentence:
                yield sentence, same, template.render("contrast", meaning)


def items(seed: int = 25) -> Iterator[dict[str, str]]:
    """Yield the items: `PER_DOMAIN` of each phenomenon and domain, no sentence twice in one.

    Raises:
        ValueError: the templates of a domain cannot give so many.
    """
    for phenomenon in (*CONTRASTS, *KEEPERS):
        for domain in DOMAINS:
            rng = random.Random(f"{seed} {phenomenon} {domain}")
            found = list(dict.fromkeys(candidates(phenomenon, read_templates(domain))))
            rng.shuffle(found)
            chosen = list({sentence: item for item in found for sentence in item[:1]}.values())
            if len(chosen) < PER_DOMAIN:
                raise ValueError(f"{domain} gives only {len(chosen)} items of {phenomenon}")
            for number, (sentence, same, different) in enumerate(chosen[:PER_DOMAIN], start=1):
                yield {
                    "id": f"{phenomenon}-{domain}-{number}",
                    "phenomenon": phenomenon,
                    "domain": domain,
                    "sentence": sentence,
                    "same": same,
                    "different": different,
                }


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def main(file: Path) -> None:
    """Write the items as tab-separated FILE."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, _HEADER, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(items())


if __name__ == "__main__":
    main()
