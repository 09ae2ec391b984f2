"""From bytes to text: as the file declares, as UTF-8, or as its bytes tell beyond doubt; never as mojibake."""

from __future__ import annotations

import re
import unicodedata

# Python's `coding:`, in one of the first two lines, and what XML, HTML and CSS say at their start
_DECLARED = (
    re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([-\w.]+)"),
    re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]*\bencoding\s*=\s*[\"']([-\w.]+)"),
    re.compile(rb"\A(?:\xef\xbb\xbf)?@charset \"([-\w.]+)\""),
    re.compile(rb"(?i)\A.{0,2000}?<meta\b[^>]*\bcharset\s*=\s*[\"']?([-\w.]+)", re.DOTALL),
)
_UTF8_PAIR = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}")
# What Latin-1 text has not: control characters, other alphabets (three bytes beyond ASCII in a row, or two that stand
# alone), a sign or a capital within a word (Polish), and letters that are other ones in Turkish, or there in Czech
_NOT_WESTERN = re.compile(
    rb"[\x80-\x9f]|[\xc2-\xdf][\xa0-\xbf]|[\xe0-\xef][\xa0-\xbf]{2}"
    rb"|[\xa1-\xaa\xac-\xba\xbc-\xff]{3}|(?<![A-Za-z])[\xa1-\xaa\xac-\xba\xbc-\xff]{2}(?![A-Za-z])"
    rb"|[A-Za-z\xc0-\xff][\xa1-\xac\xae-\xb3\xb5\xb6\xb8-\xbf][a-z\xc0-\xff]"
    rb"|[a-z\xdf-\xff][\xc0-\xde]|[A-Za-z][\xa3-\xa6\xaf\xb6\xb9\xbc-\xbf]|[A-Za-ln-z]\xb3|[\xec\xf9][a-z]"
    rb"|[\xd0\xdd\xde\xf0\xfd\xfe]"
    rb"|\xa4|(?<![0-9])[\xbc-\xbe][A-Za-z]"  # the euro sign, and œ and Ÿ, of Latin-9
)
_TYPOGRAPHIC = re.compile(rb"[\x80\x84\x85\x91-\x97\x99]")  # of Windows-1252: quotes, dashes, dots, the euro sign
_SCRIPTS = {
    "koi8-r": "CYRILLIC", "cp1251": "CYRILLIC", "cp866": "CYRILLIC", "iso8859-5": "CYRILLIC",
    "cp1253": "GREEK", "iso8859-7": "GREEK",
    "cp1255": "HEBREW", "iso8859-8": "HEBREW",  # in small letters, it looks like Cyrillic
}  # fmt: skip
_EAST_ASIAN = ["gb18030", "big5", "cp932", "euc_jp", "cp949"]
_SIGNS = set("«»“”„‘’–—…•№©®°§·\N{NO-BREAK SPACE}")
MAX_SAMPLE = 50_000  # bytes by which an encoding is told: more takes seconds, and tells no more
MIN_LETTERS, MIN_EAST_ASIAN = 15, 16  # fewer tell little: three words of KOI8-R can be read as Japanese


def decode_both(first: bytes, second: bytes) -> tuple[str, str] | None:
    """Two versions of a file as text, in the one encoding that both are in; None where it is not certain which.

    >>> decode_both(b"caf\\xe9", "caf\\xe9".encode()), decode_both(b"# coding: koi8-r\\n# \\xc4\\xc1\\n", b"")
    (None, ('# coding: koi8-r\\n# да\\n', ''))
    """
    for encoding in _candidates(first, second):
        try:
            texts = first.decode(encoding), second.decode(encoding)
            if tuple(text.encode(encoding) for text in texts) == (first, second):
                return texts
        except (UnicodeError, LookupError):
            continue
    return None


def _candidates(first: bytes, second: bytes) -> list[str]:
    pair = (first, second)
    if first.isascii() and second.isascii():
        return ["utf-8"]
    named = [name for name in map(_declared, (second, first)) if name]
    is_utf8 = all(map(_decodes_as_utf8, pair))
    if is_utf8 and any(_UTF8_PAIR.search(data) for data in pair):
        return ["utf-8"]  # what says otherwise is mistaken: no other text looks like this
    if is_utf8:
        return [*named, "utf-8"]
    return named + _detected(pair)


def _detected(pair: tuple[bytes, bytes]) -> list[str]:
    """The one encoding that the lines beyond ASCII can be in, or none."""
    odd = b"\n".join(map(_odd_lines, pair))
    czech = 0xF8 in odd and any(byte in odd for byte in b"\xe8\xec\xef\xf9")  # no western language has ø and è, ì, ï, ù
    if not czech and not _NOT_WESTERN.search(odd):
        return ["latin-1"]
    if not czech and _TYPOGRAPHIC.search(odd) and not _NOT_WESTERN.search(_TYPOGRAPHIC.sub(b" ", odd)):
        return ["cp1252"]
    sample = _odd_lines(b"\n".join(map(_head, pair)))
    return _by_script(sample) or _east_asian(sample)


def _odd_lines(data: bytes) -> bytes:
    return b"\n".join(dict.fromkeys(line for line in data.split(b"\n") if not line.isascii()))


def _head(data: bytes) -> bytes:
    """Lines beyond ASCII that are enough to tell an encoding by, whole ones where lines are not endless."""
    odd = _odd_lines(data)
    return odd if len(odd) <= MAX_SAMPLE else odd[:MAX_SAMPLE].rpartition(b"\n")[0] or odd[:MAX_SAMPLE]


def _declared(data: bytes) -> str:
    """The encoding that a file says it is in, if it is one in which ASCII stays ASCII."""
    for pattern in _DECLARED:
        if found := pattern.search(data[:2000]):
            name = found[1].decode("ascii", "replace")
            try:
                return name if "<|=> a\\+~\n".encode(name) == b"<|=> a\\+~\n" else ""
            except (UnicodeError, LookupError):
                return ""
    return ""


def _decodes_as_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _by_script(odd: bytes) -> list[str]:
    """The encoding of one alphabet in which these lines are words, if there is just one."""
    found = {}
    for encoding, script in _SCRIPTS.items():
        try:
            text = odd.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _is_written_in(text, script):
            found.setdefault(text, encoding)
    return list(found.values()) if len(found) == 1 else []


def _is_written_in(text: str, script: str) -> bool:
    """Whether what is not ASCII are words of this script: enough letters, vowels and all, and no capital inside one."""
    beyond = [char for char in text if ord(char) > 127 and char not in _SIGNS]
    words = re.findall(r"[^\W\d_a-zA-Z]{2,}", text)
    letters = "".join(words)
    return (
        len(letters) >= MIN_LETTERS
        and len(set(letters)) >= 6
        and all(char.isalpha() and unicodedata.name(char, "").startswith(script) for char in beyond)
        and sum(word[1:] == word[1:].lower() or word.isupper() for word in words) >= 0.9 * len(words)
        and sum(word == word.lower() or word.istitle() for word in words) >= 0.5 * len(words)
        # the letters that are every other one in a text of this alphabet
        and sum(char in "оеаинтрсαοιετσיוהלארתמ" for char in unicodedata.normalize("NFD", letters.lower()))
        >= 0.35 * len(letters)
    )


def _east_asian(odd: bytes) -> list[str]:
    if sum(byte > 127 for byte in odd) < 2 * MIN_EAST_ASIAN:
        return []
    from charset_normalizer import from_bytes

    best = from_bytes(odd, cp_isolation=_EAST_ASIAN, enable_fallback=False).best()
    if best is None:
        return []
    beyond = [char for char in odd.decode(best.encoding) if ord(char) > 127]
    fitting = sum(map(_is_east_asian, beyond))
    return [best.encoding] if fitting >= max(MIN_EAST_ASIAN, 0.95 * len(beyond)) else []


def _is_east_asian(char: str) -> bool:
    return any(low <= char <= high for low, high in ("\u3000\u30ff", "\u4e00\u9fff", "\uac00\ud7a3", "\uff00\uffee"))
