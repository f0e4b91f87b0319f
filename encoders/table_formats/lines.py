"""The lines of a text file, in whatever encoding it has."""

from __future__ import annotations

import codecs
import io
import unicodedata
from collections.abc import Iterator

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.language import both
from kosim.encoders.table_formats.rows import ReadingOptions, Row
from kosim.encoders.table_formats.source import Source

LONGEST_LINE = 1 << 26
"""Bytes (or, in UTF-16 and the like, characters) of the longest line that is read."""

KOREAN_ENCODING = "cp949"
"""What Windows and Excel write in Korea where they do not write UTF-8; it contains EUC-KR."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COUNTED_AT_A_TIME = 1 << 20


def check_encoding(encoding: str) -> str:
    """Return the name of a text encoding as Python spells it.

    Raises:
        ConfigError: there is no such encoding.
    """
    try:
        "\n".encode(encoding)
        return codecs.lookup(encoding).name
    except (LookupError, ValueError, UnicodeError):
        raise ConfigError(
            f"encoding {encoding!r} is unknown; give one that Python knows, such as utf-8, cp949 "
            "or utf-16"
        ) from None


def marked_encoding(head: bytes) -> str | None:
    """Return the encoding that a byte order mark says, or None where there is no mark."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def decoded_head(head: bytes, encoding: str | None) -> str:
    """Return the first bytes of a file as text, in the encoding that `Lines` would take."""
    for name in (encoding or marked_encoding(head) or "utf-8", KOREAN_ENCODING):
        try:
            # The head may end inside a character, which this decoder waits for.
            return codecs.getincrementaldecoder(name)().decode(head).removeprefix("\ufeff")
        except UnicodeError:
            continue
    return head.decode("utf-8", "replace")


class Lines:
    """The lines of a file with their line ends, without a byte order mark.

    The encoding is, in this order, what a byte order mark says, what the options say, and UTF-8.
    A file without a mark whose first bytes beyond ASCII are no UTF-8 but Korean text in cp949 is
    read as that, with a notice.

    A line that cannot be decoded is yielded too, its foreign bytes as surrogates; what is wrong
    with it waits in `take_error`, so that the reader decides whether one bad line ends everything.
    """

    def __init__(self, source: Source, options: ReadingOptions) -> None:
        self._source = source
        self._options = options
        self._error: DataError | None = None
        marked = marked_encoding(source.head)
        stated = options.encoding and check_encoding(options.encoding)
        self._encoding = marked or stated or "utf-8"
        # Only what nobody has said is guessed.
        self._is_open = not marked and not stated

    def take_error(self) -> DataError | None:
        """Return the error of the lines read since the last call, or None."""
        error, self._error = self._error, None
        return error

    def __iter__(self) -> Iterator[str]:
        lines = self._by_bytes() if "\n".encode(self._encoding) == b"\n" else self._by_characters()
        for number, line in enumerate(lines, 1):
            yield line.removeprefix("\ufeff") if number == 1 else line

    def _by_bytes(self) -> Iterator[str]:
        # Bytes are decoded line by line, so that an error can name the line and the offset.
        offset = number = counted = 0
        while line := self._source.file.readline(LONGEST_LINE):
            number += 1
            if offset > counted + _COUNTED_AT_A_TIME:
                self._source.take(offset - counted)
                counted = offset
            self._check_length(len(line), line.endswith(b"\n"), number)
            try:
                text = line.decode(self._encoding)
                self._is_open = self._is_open and line.isascii()
            except UnicodeDecodeError as error:
                if self._turns_korean(line, number):
                    text = line.decode(self._encoding)
                else:
                    self._error = self._undecodable(error, number, offset)
                    text = line.decode("utf-8", "surrogateescape")
            offset += len(line)
            yield text

    def _by_characters(self) -> Iterator[str]:
        # In UTF-16 a line end is no single byte: what cannot be decoded ends the file.
        number = 0
        file = io.TextIOWrapper(self._source.file, encoding=self._encoding, newline="\n")
        try:
            while line := file.readline(LONGEST_LINE):
                number += 1
                self._source.take(2 * len(line))
                self._check_length(len(line), line.endswith("\n"), number)
                yield line
        except UnicodeError as error:
            raise DataError(
                f"{self._source.name}: after line {number}: this is not {self._encoding} "
                f"({getattr(error, 'reason', error)}); name its encoding, or save "
                "it as UTF-8"
            ) from error
        finally:
            file.detach()

    def _check_length(self, size: int, ended: bool, number: int) -> None:
        if size >= LONGEST_LINE and not ended:
            raise DataError(
                f"{self._source.name}: line {number} is longer than {LONGEST_LINE >> 20} MiB; "
                "give a text file with line ends"
            )

    def _turns_korean(self, line: bytes, number: int) -> bool:
        """Go on in cp949 if that is what the first line beyond ASCII is written in."""
        if not self._is_open:
            return False
        self._is_open = False
        following = self._source.file.peek(1)  # type: ignore[attr-defined]
        decoder = codecs.getincrementaldecoder(KOREAN_ENCODING)()
        try:
            # The line is whole; what follows may end inside a character.
            text = line.decode(KOREAN_ENCODING) + decoder.decode(following)
        except UnicodeDecodeError:
            return False
        foreign = [sign for sign in text if not sign.isascii()]
        if sum(map(_is_hangul, foreign)) * 2 < len(foreign):
            return False
        self._encoding = KOREAN_ENCODING
        self._options.notice(
            both(
                "{name} is not UTF-8 from line {number} on and was read as {encoding}, Korean text "
                "of Windows; name its encoding if it is another",
                "{name}: {number}행부터 UTF-8이 아니어서 윈도 한글({encoding})로 읽었습니다. "
                "다른 인코딩이면 이름을 지정하십시오",
                name=self._source.name,
                number=str(number),
                encoding=KOREAN_ENCODING,
            )
        )
        return True

    def _undecodable(self, error: UnicodeDecodeError, number: int, offset: int) -> DataError:
        name = {"utf-8": "UTF-8"}.get(self._encoding, self._encoding)
        return DataError(
            f"{self._source.name}: line {number}: byte 0x{error.object[error.start]:02x} at offset "
            f"{offset + error.start} is not {name}; name the encoding of the file, such as "
            f"{KOREAN_ENCODING}, save it as UTF-8, or correct the line"
        )


def _is_hangul(sign: str) -> bool:
    return unicodedata.name(sign, "").startswith("HANGUL")


def text_rows(source: Source, options: ReadingOptions) -> Iterator[Row]:
    """Yield every line, blank ones included, as a row with the one column ``text``."""
    lines = Lines(source, options)
    for number, line in enumerate(lines, 1):
        yield Row(f"line {number}", {"text": line.rstrip("\r\n")}, lines.take_error())
