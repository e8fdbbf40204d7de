"""Words of a text by Unicode's word boundaries (UAX #29), lower case: enough of the rules for running text.

Written for checks, from the standard alone: a letter or digit sequence, joined over a single `'` `’` `.` `:` `·`
between letters, over a single `.` `,` `;` `'` between digits, and over `_`. Ideographs and Hiragana stand alone.
"""
import unicodedata

import regex

_LETTER = r"[\p{WB=ALetter}\p{WB=Hebrew_Letter}]"
_EXTEND = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*"
_AHLETTER = f"(?:{_LETTER}{_EXTEND})"
_NUMERIC = rf"(?:\p{{WB=Numeric}}{_EXTEND})"
_EXTENDNUM = rf"(?:\p{{WB=ExtendNumLet}}{_EXTEND})"
_KATAKANA = rf"(?:\p{{WB=Katakana}}{_EXTEND})"
_MIDLETTER = rf"(?:[\p{{WB=MidLetter}}\p{{WB=MidNumLet}}\p{{WB=Single_Quote}}]{_EXTEND})"
_MIDNUM = rf"(?:[\p{{WB=MidNum}}\p{{WB=MidNumLet}}\p{{WB=Single_Quote}}]{_EXTEND})"

_WORD = regex.compile(
    rf"{_EXTENDNUM}*"
    rf"(?:{_AHLETTER}(?:{_MIDLETTER}(?={_LETTER}))?|{_NUMERIC}(?:{_MIDNUM}(?=\p{{WB=Numeric}}))?|{_KATAKANA}|{_EXTENDNUM})+"
    r"|[\p{Script=Han}\p{Script=Hiragana}]"
    rf"{_EXTEND}"
)
_HAS_SUBSTANCE = regex.compile(r"[\p{WB=ALetter}\p{WB=Hebrew_Letter}\p{WB=Numeric}\p{WB=Katakana}\p{Script=Han}\p{Script=Hiragana}]")


def words(text):
    """The words of `text`, lower case, in order; each takes one position."""
    for match in _WORD.finditer(text):
        word = match.group()
        if _HAS_SUBSTANCE.search(word):
            for start in range(0, len(word), 255):
                yield "".join(_lower(letter) for letter in word[start : start + 255])


def _lower(letter):
    # One character to one character, as Java's Character.toLowerCase does: no context, no growth.
    lower = letter.lower()
    return lower if len(lower) == 1 else unicodedata.normalize("NFC", lower)[0] if letter == "İ" else lower
