"""Words of a text by Unicode's word boundaries (UAX #29), lower case: enough of the rules for running text.

Written for checks, from the standard alone: a letter or digit sequence, joined over a single `'` `’` `.` `:` `·`
between letters, over a single `.` `,` `;` `'` between digits, and over `_`. Ideographs, Hiragana and emoji stand alone;
runs of scripts without blanks between words (Thai, Khmer, …) stay whole.
"""
import unicodedata

import regex

# U+058A became a letter after the Unicode version that indices go by.
_LETTER = r"[[\p{WB=ALetter}\p{WB=Hebrew_Letter}]--[\u058A]]"
_EXTEND = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*"
_AHLETTER = f"(?:{_LETTER}{_EXTEND})"
_NUMERIC = rf"(?:\p{{WB=Numeric}}{_EXTEND})"
_EXTENDNUM = rf"(?:\p{{WB=ExtendNumLet}}{_EXTEND})"
_KATAKANA = rf"(?:\p{{WB=Katakana}}{_EXTEND})"
_MIDLETTER = rf"(?:[\p{{WB=MidLetter}}\p{{WB=MidNumLet}}\p{{WB=Single_Quote}}]{_EXTEND})"
_MIDNUM = rf"(?:[\p{{WB=MidNum}}\p{{WB=MidNumLet}}\p{{WB=Single_Quote}}]{_EXTEND})"

_EMOJI_MARKS = r"[[\p{WB=Extend}\p{WB=Format}]--[\uFE0E\p{Emoji_Modifier}]]*"
# Unicode 17 took the property from many signs of the Basic Multilingual Plane; indices go by Unicode 14.
_PICTURE = r"[\p{Extended_Pictographic}\u2388\u2600-\u2605\u2607-\u2612\u2614-\u2685\u2690-\u2705\u2708-\u2712\u2763-\u2767]"
_EMOJI = rf"(?:{_PICTURE}{_EMOJI_MARKS}(?:\p{{Emoji_Modifier}}{_EMOJI_MARKS})?)"
_ALONE = (
    rf"{_EMOJI}(?:\u200D{_EMOJI})*"
    rf"|[0-9#*]\uFE0F?\u20E3"
    rf"|\p{{WB=Regional_Indicator}}{_EXTEND}\p{{WB=Regional_Indicator}}{_EXTEND}"
    rf"|[\p{{Script=Han}}\p{{Script=Hiragana}}]{_EXTEND}"
    rf"|\p{{LB=Complex_Context}}+"
)

_HEBREW_QUOTE = rf"(?:\p{{WB=Hebrew_Letter}}{_EXTEND}(?:'(?!{_LETTER})|\"(?=\p{{WB=Hebrew_Letter}})))"
_KATAKANA_RUN = rf"{_KATAKANA}(?:{_EXTENDNUM}*{_KATAKANA})*"
_RUN = (
    rf"(?:{_HEBREW_QUOTE}|{_AHLETTER}(?:{_MIDLETTER}(?={_LETTER}))?|{_NUMERIC}(?:{_MIDNUM}(?=\p{{WB=Numeric}}))?)+"
)
_WORD = regex.compile(
    rf"{_ALONE}|{_EXTENDNUM}*(?:{_KATAKANA_RUN}|{_RUN})(?:{_EXTENDNUM}+(?:{_KATAKANA_RUN}|{_RUN}))*{_EXTENDNUM}*",
    regex.VERSION1,
)


def words(text):
    """The words of `text`, lower case, in order; each takes one position."""
    for match in _WORD.finditer(text):
        word = match.group()
        for start in range(0, len(word), 255):
            yield "".join(_lower(letter) for letter in word[start : start + 255])


def _lower(letter):
    # One character to one character, as Java's Character.toLowerCase does: no context, no growth.
    lower = letter.lower()
    return lower if len(lower) == 1 else unicodedata.normalize("NFC", lower)[0] if letter == "İ" else lower
