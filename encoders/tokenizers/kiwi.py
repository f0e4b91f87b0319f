"""Kiwi, the Korean morphological analyser: one for all uses in a process.

Kiwi (kiwipiepy) is an optional package; it takes seconds and some 500 MB to load, so that happens
at the first sentence, once a process.
"""

from __future__ import annotations

import os
import re
import threading
import unicodedata
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from kosim.encoders.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from kiwipiepy import Kiwi

_PACKAGES = ("kiwipiepy", "kiwipiepy_model")
_SURROGATES = re.compile("[\ud800-\udfff]")


def kiwi_version(purpose: str) -> str:
    """Return the version of Kiwi, of its model and of Unicode: what decides an analysis.

    Raises:
        MissingExtraError: Kiwi is not installed; ``purpose`` is said to need it.
    """
    try:
        packages = [f"{name}-{version(name)}" for name in _PACKAGES]
    except PackageNotFoundError as error:
        raise MissingExtraError(
            f'{purpose} needs {error.name}, which is not installed: pip install "kosim[lexical]"'
        ) from error
    return "+".join([*packages, f"unicode-{unicodedata.unidata_version}"])


def composed(text: str) -> str:
    """Return ``text`` as Kiwi reads it: syllables composed (NFC), no half surrogate pairs.

    Raises:
        DataError: it is not a string.
    """
    if not isinstance(text, str):
        raise DataError(f"a text to analyse is {text!r}; give a string")
    # Kiwi rejects half surrogate pairs, which a terminal or broken JSON can produce.
    return unicodedata.normalize("NFC", _SURROGATES.sub("\ufffd", text))


_loaded: dict[int, Kiwi] = {}
_loading = threading.Lock()


def load_kiwi(num_workers: int | None = None) -> Kiwi:
    """Return this process's Kiwi; the first call decides its threads, by default all cores.

    Threads do not survive a fork, so a forked process makes its own. It keeps its parent's, whose
    end would wait for them.
    """
    with _loading:
        if os.getpid() not in _loaded:
            from kiwipiepy import Kiwi

            # Without the dictionary of names of several words, 해리 포터 is two terms, each of
            # which finds it, and loading takes half the time. We correct no typing errors.
            _loaded[os.getpid()] = Kiwi(
                num_workers=num_workers or len(os.sched_getaffinity(0)),
                load_multi_dict=False,
                load_typo_dict=False,
            )
        return _loaded[os.getpid()]
