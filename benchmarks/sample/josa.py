"""Korean particles (josa) that follow a word's final consonant (batchim)."""

from __future__ import annotations

from kosim.encoders.errors import DataError

_HANGUL_FIRST, _HANGUL_LAST = 0xAC00, 0xD7A3
_FINALS = 28
_RIEUL = 8
# Sino-Korean readings 영 일 이 삼 사 오 육 칠 팔 구, and % read as 퍼센트.
_READINGS = dict(zip("0123456789%", "영일이삼사오육칠팔구트", strict=True))
_PAIRS = {"은": "는", "이": "가", "을": "를", "과": "와"}


def final_consonant(word: str) -> int:
    """Return the index of ``word``'s final consonant, 0 for none and 8 for ㄹ.

    Hangul syllables are coded as 0xAC00 + (initial * 21 + vowel) * 28 + final (the Unicode
    standard, section 3.12). A digit or a percent sign counts as it is read aloud.

    Raises:
        DataError: the last character is neither Hangul, a digit nor %.
    """
    last = _READINGS.get(word[-1:], word[-1:])
    if not last or not _HANGUL_FIRST <= ord(last) <= _HANGUL_LAST:
        raise DataError(f"no particle can be chosen after {word!r}: end it in Hangul, a digit or %")
    return (ord(last) - _HANGUL_FIRST) % _FINALS


def with_josa(word: str, particle: str) -> str:
    """Return ``word`` with ``particle``, given in its form after a consonant.

    Known are 은, 이, 을, 과, anything that begins with 으로 (으로, 으로부터), and anything
    longer that begins with 이 (이다, 이랑, 이라면, 이었어요).

    Raises:
        DataError: the particle is unknown, or the word's end cannot be read.
    """
    final = final_consonant(word)
    if particle in _PAIRS:
        return word + (particle if final else _PAIRS[particle])
    if particle.startswith("으로"):
        return word + (particle if final not in (0, _RIEUL) else particle[1:])
    if particle.startswith("이었"):
        return word + (particle if final else "였" + particle[2:])
    if particle.startswith("이"):
        return word + (particle if final else particle[1:])
    raise DataError(f"unknown particle {particle!r}; give it as after a consonant, such as 은")
