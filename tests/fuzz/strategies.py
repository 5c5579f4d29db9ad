"""Inputs that are nearly right: what damages good ones, and words and numbers that mislead."""

import re
from functools import cache

from hypothesis import settings
from hypothesis import strategies as st

NUMBERS = [
    *("", "0", "-0.0", "1", "-1", "+1", "1.", ".5", "1e1", "1E-1", "1e", "1e999", "-1e999"),
    *("1e-999", "nan", "NaN", "inf", "-inf", "Infinity", "None", "True", "0x10", "1_0", "1,5"),
    *("1j", "1d1", "1L", "--1", " 1", "1 ", "1\x0b", "1\x1f", "\xa01", "\u0661", "²", "1\x00"),
    *("9" * 320, "0.1000000000000000055511151231257827021181583404541", "4.037666000000000000001"),
    *("2.2250738585072011e-308", "9007199254740993", "8.5899345920000000001e9", "0" * 400 + "1"),
]
WORDS = [
    *("", " ", '"', '""', "'", "\\", "..", "/", "a/b", "none", "NONE", "NA", "nan", "null", "-"),
    *("\x00", "\ufeff", "é", "\u2028", "\x85", "\x0b", "\x0c", "\x1c", "\x1a", "\u202e", "x" * 300),
    *("a:b", "a;b", "a|b", "a,b", "{x}", "%s", "car.wav", "\U0001f600", "path", "1", "#"),
]
# What YAML makes of text, and what its loader stumbles over.
YAML = [
    *("!!int ''", "!!float ''", "!!bool x", "!!timestamp x", "!!binary 'ä'", "!!set {a, b}"),
    *("!!python/name:os.system", "2001-99-99", "2001-01-01", "0001-01-01T00:00:00+23:59", "0b_"),
    *("0x", "1:99", "1:99:99.5", "0o8", "012", ".inf", ".nan", "-.inf", "1_000", "yes", "NO", "~"),
    *("&a [*a]", "&b {c: *b}", "*c", "<<: {a: b}", "? [a]", "[" * 2000, "{" * 200, "- " * 3000),
    *("|", ">-", "%YAML 9.9", "---", "...", "@", "`", "#", ": ", "- ", "\t", "0x" + "f" * 6000),
]
BROKEN = [b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xff\xfe", b"\x80", b"\r", b"\r\n", b"\n\n", b"\t\t"]
SEPARATORS = re.compile(rb"([\t\r\n ,:{}\[\]]+)")


def share(part):
    """Settings for a property that is slow: a part of the examples that others get."""
    return settings(max_examples=max(1, int(settings.default.max_examples * part)))


@st.composite
def usually(draw, good, odd):
    """``good`` in seven of eight draws."""
    return draw(odd if draw(st.integers(0, 7)) == 7 else good)


@cache
def numbers():
    """How a number may be written: as it should be, or not at all."""
    written = st.floats(0, 100, allow_nan=False).map
    return st.one_of(written("{:.6f}".format), written(repr), st.sampled_from(NUMBERS))


@cache
def words():
    return st.one_of(st.sampled_from(WORDS), st.text(max_size=5))


@cache
def snippets(*more):
    """Bytes to put into a file: misleading words and numbers, broken text, and ``more``."""
    texts = [*NUMBERS, *WORDS, *more]
    return st.sampled_from(BROKEN + [text.encode() for text in texts])


@st.composite
def edited(draw, content, snippet, most=3):
    """``content`` after up to ``most`` random edits of its bits, bytes, fields and lines."""
    for _ in range(draw(st.integers(0, most))):
        content = draw(st.sampled_from(EDITS))(draw, content, snippet)
    return content


def _span(draw, length, longest=40):
    first = draw(st.integers(0, length))
    return first, min(length, first + draw(st.integers(1, longest)))


def flip_bit(draw, content, _):
    if not content:
        return content
    place = draw(st.integers(0, len(content) - 1))
    changed = content[place] ^ 1 << draw(st.integers(0, 7))
    return content[:place] + bytes([changed]) + content[place + 1 :]


def insert(draw, content, snippet):
    place = draw(st.integers(0, len(content)))
    return content[:place] + draw(snippet) + content[place:]


def cut(draw, content, _):
    first, last = _span(draw, len(content))
    return content[:first] + content[last:]


def double(draw, content, _):
    first, last = _span(draw, len(content))
    return content[:last] + content[first:]


def truncate(draw, content, _):
    return content[: draw(st.integers(0, len(content)))]


def replace_field(draw, content, snippet):
    fields = SEPARATORS.split(content)
    fields[draw(st.integers(0, len(fields) - 1))] = draw(snippet)
    return b"".join(fields)


def swap_fields(draw, content, _):
    fields = SEPARATORS.split(content)
    first, second = (draw(st.integers(0, len(fields) - 1)) for _ in "ab")
    fields[first], fields[second] = fields[second], fields[first]
    return b"".join(fields)


def move_line(draw, content, _):
    lines = content.splitlines(keepends=True) or [b""]
    line = lines.pop(draw(st.integers(0, len(lines) - 1)))
    lines.insert(draw(st.integers(0, len(lines))), line)
    return b"".join(lines)


def copy_line(draw, content, _):
    lines = content.splitlines(keepends=True) or [b""]
    lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(lines)))
    return b"".join(lines)


EDITS = [
    *(flip_bit, insert, cut, double, truncate),
    *(replace_field, replace_field, swap_fields, move_line, copy_line),
]
