"""Texts in old encodings: read as their authors wrote them, or not at all."""

import pytest
from histories import one_file
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.collect import collect_repository
from llmerge_helpers.collect.encodings import decode_both

RUSSIAN = "Проверка входных данных перед записью в базу, время ожидания в секундах"
GREEK = "Έλεγχος των δεδομένων εισόδου πριν από την εγγραφή στη βάση"
CHINESE = "检查输入数据是否正确。如果文件不存在则创建新的文件并写入标题"
TAIWANESE = "檢查輸入資料是否正確。如果檔案不存在則建立新的檔案並寫入標題"
JAPANESE = "入力データが正しいかどうかを確認する。ファイルが存在しない場合"
KOREAN = "입력 데이터가 올바른지 확인한다. 파일이 없으면 새 파일을 만들고 제목을 쓴다"
GERMAN, FRENCH = "Prüft die Größe, bevor Überläufe stören", "Créé là où l'été naît, « déjà » à 20 °C et 3 m²"


def code(text: str, encoding: str, number: int = 0) -> bytes:
    return f"int f(void) {{\n    // {text}\n    return {number};\n}}\n".encode(encoding)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *((RUSSIAN, name) for name in ("utf-8", "koi8-r", "cp1251", "cp866", "iso8859-5")),
        *((GREEK, name) for name in ("cp1253", "iso8859-7")),
        (CHINESE, "gbk"), (TAIWANESE, "big5"), (JAPANESE, "shift-jis"), (JAPANESE, "euc-jp"), (KOREAN, "euc-kr"),
        (GERMAN, "latin-1"), (FRENCH, "latin-1"), ("“Größe” – 5 €", "cp1252"),
    ],
)  # fmt: skip
def test_a_text_is_read_as_it_was_written(text, encoding, tmp_path):
    versions = [code(text, encoding, n) for n in (0, 1, 2, 1)]
    (row,) = collect_repository(one_file(*versions, path="a.c").build(tmp_path / "r"))
    assert text in row["before"] and row["prefix"] + row["answer"] + row["suffix"] == code(text, encoding, 1).decode(
        encoding
    )


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Да", "koi8-r"), ("нет данных", "cp1251"), ("文件", "gbk"), ("ファイル", "shift-jis"), ("שלום", "cp1255"),
        ("שלום עולם טקסט ארוך", "cp1255"), ("5 €", "iso8859-15"), ("un œuvre", "iso8859-15"),
        ("Sprawdź poprawność, błąd zapisu", "iso8859-2"), ("Příliš žluťoučký kůň", "cp1250"),
        ("Dosya sayısı değişti", "cp1254"), ("déjà vu é", "cp850"),
    ],
)  # fmt: skip
def test_what_could_be_several_is_not_read(text, encoding):
    assert decode_both(code(text, encoding), code(text, encoding, 1)) is None


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("# -*- coding: koi8-r -*-\n", "koi8-r"), ("#!/usr/bin/python\n# vim: set fileencoding=cp1251 :\n", "cp1251"),
        ('<?xml version="1.0" encoding="windows-1251"?>\n', "cp1251"), ("<?xml encoding='GBK'?>\n", "gbk"),
        ('<html>\n<head><meta charset="Shift_JIS">\n', "shift-jis"), ('@charset "euc-jp";\n', "euc-jp"),
        ('<META http-equiv="Content-Type" content="text/html; charset=big5">\n', "big5"),
    ],
)  # fmt: skip
def test_what_a_file_declares_counts_even_for_one_word(head, encoding):
    text = {"koi8-r": "да", "cp1251": "да", "gbk": "文", "big5": "檔", "shift-jis": "日", "euc-jp": "日"}[encoding]
    data = f"{head}x {text}\n".encode(encoding)
    assert decode_both(data, data) == (f"{head}x {text}\n",) * 2
    assert decode_both(b"x\n", data) == ("x\n", f"{head}x {text}\n")  # only one of them says it


@pytest.mark.parametrize("name", ["utf-16", "utf-7", "hex", "rot13", "klingon", "unicode_escape", "utf-8"])
def test_a_declaration_that_cannot_be_is_passed_over(name):
    data = f"# coding: {name}\n# \\x41 café\n"
    assert decode_both(data.encode("latin-1"), b"")[0] == data
    assert decode_both(data.encode(), b"")[0] == data


def test_utf8_that_says_it_were_latin1_is_utf8_and_two_encodings_at_once_are_none():
    data = "<?xml version='1.0' encoding='ISO-8859-1'?>\n<a>é ü</a>\n"
    assert decode_both(data.encode(), data.encode()) == (data, data)
    assert decode_both(f"{RUSSIAN}\n".encode("koi8-r"), f"{RUSSIAN}\n".encode()) is None
    assert decode_both(f"{RUSSIAN}\n".encode("koi8-r"), f"{RUSSIAN}\n".encode("cp1251")) is None


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_whatever_is_read_can_be_written_back(first, second):
    texts = decode_both(first, second)
    if texts is not None:
        names = (
            "utf-8",
            "latin-1",
            "cp1252",
            "koi8-r",
            "cp1251",
            "cp866",
            "iso8859-5",
            "cp1253",
            "iso8859-7",
            "cp1255",
        )
        names += ("gb18030", "big5", "cp932", "euc_jp", "cp949")

        def bytes_in(name: str) -> tuple[bytes, bytes]:
            return tuple(text.encode(name, "replace") for text in texts)

        assert (first, second) in map(bytes_in, names)


def test_a_long_file_is_told_by_a_part_of_it():
    data = "".join(f"// {n} {RUSSIAN}\n" for n in range(2000))
    assert decode_both(data.encode("koi8-r"), data.encode("koi8-r")) == (data, data)
    assert decode_both(data.encode("koi8-r"), data.encode("cp1251")) is None
    assert decode_both(b"\xf8" * 200_000, b"") is None  # and never letters of just any alphabet
