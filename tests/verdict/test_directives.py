"""Comments that programs obey, each changed and dropped; and comments for people, which stay free."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmerge_helpers.conflicts import languages, render_answer
from llmerge_helpers.verdict import verify
from llmerge_helpers.verdict.directives import DIRECTIVES, MISREAD, Obeyed
from llmerge_helpers.verdict.tokens import lex

CODE = {  # a statement, or what holds one, for the comment to stand by
    **dict.fromkeys(("Java", "Kotlin", "C", "C++", "C#", "Scala", "Groovy", "Swift", "Dart", "Objective-C"), "int a;"),
    **dict.fromkeys(("JavaScript", "TypeScript", "TSX", "Rust"), "f(a);"),
    **dict.fromkeys(("Python", "Ruby", "Shell", "Perl", "R", "Julia", "Lua", "Elixir", "PowerShell", "Haskell"), "f"),
    **{"Go": "var a int", "PHP": "function f() {}", "SQL": "select 1;", "CSS": "a { b: c; }", "SCSS": "a { b: c; }"},
    **{"YAML": "a: 1", "XML": "<a/>", "Clojure": "(f)"},
    **{"HTML": "<br>", "Dockerfile": "RUN a", "Makefile": "A = b", "INI": "a = b", "TOML": "a = 1"},
}

# language, comment, the same comment changed. Both, and none at all, must differ.
OBEYED = [
    ("PHP", '/** @Route("/a") */', '/** @Route("/b") */'),
    ("PHP", '/**\n * @Route("/a", methods={"GET"})\n */', '/**\n * @Route("/a", methods={"PUT"})\n */'),
    ("PHP", '/**\n * @ORM\\Table(\n *     name="a",\n * )\n */', '/**\n * @ORM\\Table(\n *     name="b",\n * )\n */'),
    ("PHP", "/** @dataProvider a */", "/** @dataProvider b */"),
    ("PHP", "/** @test */", "/** test */"),
    ("PHP", "/** @Given /^one$/ */", "/** @Given /^two$/ */"),
    ("PHP", "/*\n * Plugin Name: A\n * Version: 1\n */", "/*\n * Plugin Name: A\n * Version: 2\n */"),
    ("PHP", "/* Template Name: A */", "/* Template Name: B */"),
    ("CSS", "/*\nTheme Name: A\nVersion: 1\n*/", "/*\nTheme Name: A\nVersion: 2\n*/"),
    (
        "JavaScript",
        "// ==UserScript==\n// @match a\n// ==/UserScript==",
        "// ==UserScript==\n// @match b\n// ==/UserScript==",
    ),
    ("TypeScript", '// @deno-types="./a.d.ts"', '// @deno-types="./b.d.ts"'),
    ("JavaScript", "// Flags: --expose-gc", "// Flags: --expose-internals"),
    ("JavaScript", "// META: script=a.js", "// META: script=b.js"),
    ("R", "#+ a, echo=FALSE", "#+ a, echo=TRUE"),
    ("Ruby", "# -*- encoding: utf-8 -*-", "# -*- encoding: ascii -*-"),
    ("Makefile", "#!/usr/bin/make -f", "#!/usr/bin/gmake -f"),
    ("SQL", "-- name: GetA :one", "-- name: GetA :many"),
    ("SQL", "-- :name get-a :? :1", "-- :name get-a :? :*"),
    ("SQL", "/* @name GetA */", "/* @name GetB */"),
    ("SQL", "-- +goose Up", "-- +goose Down"),
    ("SQL", "-- +migrate Up notransaction", "-- +migrate Up"),
    ("SQL", "-- migrate:up", "-- migrate:down"),
    ("SQL", "-- migrate:up transaction:false", "-- migrate:up"),
    ("SQL", "--liquibase formatted sql", "--liquibase sql"),
    ("SQL", "--changeset a:1", "--changeset a:2"),
    ("SQL", "--rollback drop table a;", "--rollback drop table b;"),
    ("SQL", "-- flyway:executeInTransaction=false", "-- flyway:executeInTransaction=true"),
    ("SQL", "/*+ INDEX(a b) */", "/*+ INDEX(a c) */"),
    ("SQL", "/*!40101 SET a */", "/*!40101 SET b */"),
    ("SQL", "--> statement-breakpoint", "--> statement"),
    ("SQL", "-- depends_on: {{ ref('a') }}", "-- depends_on: {{ ref('b') }}"),
    ("SQL", "-- !Ups", "-- !Downs"),
    ("Shell", "#SBATCH --time=1:00", "#SBATCH --time=2:00"),
    ("Shell", "#PBS -l nodes=1", "#PBS -l nodes=2"),
    ("Shell", "#$ -N a", "#$ -N b"),
    ("Shell", "#BSUB -n 1", "#BSUB -n 2"),
    ("Shell", "# Default-Start: 2 3", "# Default-Start: 2"),
    ("Shell", "#compdef a", "#compdef b"),
    ("Python", "#SBATCH --mem=1G", "#SBATCH --mem=2G"),
    ("Python", "# type: ignore", "# type: list"),
    ("Python", "# mypy: strict", "# mypy: loose"),
    ("Python", "# cython: boundscheck=False", "# cython: boundscheck=True"),
    ("Python", '# /// script\n# dependencies = ["a"]\n# ///', '# /// script\n# dependencies = ["b"]\n# ///'),
    ("Python", "# MAGIC %sql select 1", "# MAGIC %sql select 2"),
    ("Python", "# [[[cog\n# f(1)\n# ]]]", "# [[[cog\n# f(2)\n# ]]]"),
    ("R", "#' @export", "#' export"),
    ("R", "#| eval: false", "#| eval: true"),
    ("Julia", "#SBATCH -n 1", "#SBATCH -n 2"),
    ("Perl", '# line 4 "a"', '# line 5 "a"'),
    ("Ruby", "# typed: strict", "# typed: true"),
    ("Ruby", "# warn_indent: true", "# warn_indent: false"),
    ("Go", "// Output: 1", "// Output: 2"),
    ("Go", "// Output:\n// 1\n// 2", "// Output:\n// 1\n// 3"),
    ("Go", "// Unordered output: 1", "// Unordered output: 2"),
    ("Go", "// +kubebuilder:validation:Minimum=1", "// +kubebuilder:validation:Minimum=2"),
    ("Go", "// +optional", "// optional"),
    ("Go", "// +build linux", "// +build darwin"),
    ("Go", "//go:generate a", "//go:generate b"),
    ("Go", "//counterfeiter:generate . A", "//counterfeiter:generate . B"),
    ("Go", "// @Router /a [get]", "// @Router /b [get]"),
    ("Go", "//export a", "//export b"),
    ("Go", "// #include <a.h>\n// static int a() { return 1; }", "// #include <a.h>\n// static int a() { return 2; }"),
    ("JavaScript", "/** @jsx h */", "/** @jsx k */"),
    ("JavaScript", "/** @jsxImportSource a */", "/** @jsxImportSource b */"),
    ("JavaScript", "// @flow", "// flow"),
    ("JavaScript", "/* @flow strict */", "/* @flow */"),
    ("JavaScript", "/* webpackChunkName: 'a' */", "/* webpackChunkName: 'b' */"),
    ("JavaScript", "/* @vite-ignore */", "/* vite */"),
    ("JavaScript", "/* #__PURE__ */", "/* pure */"),
    ("JavaScript", "/**\n * @jest-environment jsdom\n */", "/**\n * @jest-environment node\n */"),
    ("JavaScript", "//# sourceMappingURL=a.map", "//# sourceMappingURL=b.map"),
    ("JavaScript", "/**\n * @swagger\n * /a:\n *   get:\n */", "/**\n * @swagger\n * /b:\n *   get:\n */"),
    ("TypeScript", "// @ts-expect-error", "// expected"),
    ("TypeScript", "/// <reference types='a' />", "/// <reference types='b' />"),
    ("TSX", "// @ts-nocheck", "// no check"),
    ("Java", "/** @deprecated */", "/** deprecated */"),
    ("Java", '/**\n * @hibernate.property column="a"\n */', '/**\n * @hibernate.property column="b"\n */'),
    ("Java", "/** @goal compile */", "/** @goal test */"),
    ("Java", "/*-{ return 1; }-*/", "/*-{ return 2; }-*/"),
    ("Java", "//DEPS a:b:1", "//DEPS a:b:2"),
    ("Java", "//#if MC>=1", "//#if MC>=2"),
    ("Java", "// @@protoc_insertion_point(a)", "// @@protoc_insertion_point(b)"),
    ("C", "// RUN: a %s", "// RUN: b %s"),
    ("C", "/* { dg-do run } */", "/* { dg-do link } */"),
    ("C++", "// [[Rcpp::export]]", "// Rcpp::export"),
    ("C++", "// CHECK-NEXT: a", "// CHECK-NEXT: b"),
    ("C++", "/* USER CODE BEGIN 1 */", "/* USER CODE BEGIN 2 */"),
    ("Rust", "/// ```\n/// assert(1);\n/// ```", "/// ```\n/// assert(2);\n/// ```"),
    ("Rust", "//~ ERROR a", "//~ ERROR b"),
    ("Scala", '//> using dep "a"', '//> using dep "b"'),
    ("Swift", "// swift-tools-version:5.1", "// swift-tools-version:5.2"),
    ("Swift", "// sourcery: AutoMockable", "// sourcery: AutoEquatable"),
    ("Dart", "// @dart=2.9", "// @dart=2.12"),
    ("Lua", "--!strict", "--!nonstrict"),
    ("Haskell", "{-# LANGUAGE A #-}", "{-# LANGUAGE B #-}"),
    ("Haskell", "-- >>> f 1\n-- 2", "-- >>> f 1\n-- 3"),
    ("Haskell", "-- stack script --resolver a", "-- stack script --resolver b"),
    ("PowerShell", "#Requires -Version 5", "#Requires -Version 7"),
    ("CSS", "/*# sourceMappingURL=a.map */", "/*# sourceMappingURL=b.map */"),
    ("CSS", "/* autoprefixer: off */", "/* autoprefixer: on */"),
    ("SCSS", "/* rtl:ignore */", "/* rtl */"),
    ("XML", "<!--[if IE]> a <![endif]-->", "<!--[if IE]> b <![endif]-->"),
    ("XML", "<!--[if IE]>\n<b/>\n<![endif]-->", "<!--[if IE]>\n<c/>\n<![endif]-->"),
    ("HTML", "<!--[if IE]>\n<b>c</b>\n<![endif]-->", "<!--[if IE]>\n<b>d</b>\n<![endif]-->"),
    ("HTML", "<!-- build:js a.js -->", "<!-- build:js b.js -->"),
    ("Dockerfile", "# syntax=a", "# syntax=b"),
    ("Dockerfile", "# renovate: datasource=a", "# renovate: datasource=b"),
    ("Makefile", "# renovate: datasource=a", "# renovate: datasource=b"),
    ("INI", "; x-release-please-version", "; x"),
    ("TOML", "# x-release-please-version", "# x"),
    ("YAML", "#cloud-config", "#cloud"),
    ("YAML", '# {"$imagepolicy": "a"}', '# {"$imagepolicy": "b"}'),
]

# language, comment, another one that says the same to every program
FREE = [
    ("PHP", '/**\n * Lists all.\n * @Route("/a", name="b")\n */', '/** @Route("/a",\n *    name="b") */'),
    ("PHP", "/** @param int $a one */", "/** @param int $a two\n * @return string */"),
    ("PHP", "/** @author Some One */", "/** @since 2 */"),
    ("PHP", "// name a@Example.org", "// nobody"),
    ("SQL", "-- the name of it", "-- another name"),
    ("SQL", "/* one + two */", "/* three */"),
    ("SQL", "-- rows to migrate", "-- all rows"),
    ("Shell", "# SBATCH is for later", "# PBS"),
    ("Shell", "# shellcheck disable=SC1", "# 2"),
    ("Python", "# noqa: E501", "# nothing"),
    ("Python", "# fmt: off", "# on"),
    ("Python", "# pylint: disable=a", "# pragma: no cover"),
    ("Python", "# the type of a", "# types: two"),
    ("R", "#' @param a one", "#' @param a two"),
    ("Ruby", "# rubocop:disable A", "# typed by hand"),
    ("Go", "// Prints the output: 1", "// prints 2"),
    ("Go", "//nolint:errcheck", "// lint"),
    ("Go", "// one + two", "// Deprecated: three"),
    ("JavaScript", "// eslint-disable-line", "// prettier-ignore"),
    ("JavaScript", "/** @param {a} b */", "/** @return {a} */"),
    ("JavaScript", "/** one\n * @jsx h\n */", "/** @jsx h */"),
    ("TypeScript", "// see @ts-ignore below", "// see above"),
    ("Java", "/** @since 1 */", "/** @author a */"),
    ("Java", "// CHECKSTYLE:OFF", "// NOSONAR"),
    ("Java", "/** @deprecated use b */", "/** Old.\n * @deprecated use c */"),
    ("C", "// NOLINT", "/* fall through */"),
    ("C++", "// clang-format off", "// on"),
    ("C", "// check: a", "// Run: b"),
    ("Rust", "/// One.\n/// ```\n/// f();\n/// ```", "/// Two.\n///\n/// ```\n/// f();\n/// ```"),
    ("Rust", "// SAFETY: one", "// two"),
    ("CSS", "/* one */", "/*! two */"),
    ("Haskell", "-- | One.", "{- two -}"),
    ("YAML", "# yamllint disable", "# cloud-config is below"),
    ("XML", "<!-- if -->", "<!-- else -->"),
    ("Lua", "-- one!", "--- two"),
]


def judged(language: str, ours: str, theirs: str) -> bool:
    """Is code with the second comment called right where the developer wrote the first? In all places that matter."""
    code = CODE[language]
    found = set()
    for before, after in (("", f"{code}\n"), (f"{code}\n\n", f"{code}\n")):
        row = {"language": language, "before": before, "resolution": f"{ours}\n" * (ours != ""), "after": after}
        answer = before + f"{theirs}\n" * (theirs != "") + after
        verdicts = [
            verify(render_answer(answer, language), {**row, **file}) for file in ({}, {"prefix": "", "suffix": ""})
        ]
        found |= {verdict.is_correct for verdict in verdicts}
    assert len(found) == 1, "the place decides"
    return found.pop()


@pytest.mark.parametrize(("language", "comment", "changed"), OBEYED)
def test_what_a_program_obeys_counts(language, comment, changed):
    assert judged(language, comment, comment)
    assert not judged(language, comment, changed)
    assert not judged(language, comment, "")
    assert not judged(language, "", comment)


@pytest.mark.parametrize(("language", "comment", "other"), FREE)
def test_what_people_read_is_free(language, comment, other):
    assert judged(language, comment, other)
    assert judged(language, other, comment)


def test_a_mark_does_not_hide_code():
    for language, mark, code in (("SQL", "-- name: A :one", "select 1;"), ("Go", "//go:embed a", "var a string")):
        row = {"language": language, "before": "", "resolution": f"{mark}\n{code}\n", "after": ""}
        assert not verify(render_answer(f"{mark} {code}\n", language), row).is_correct
        assert not verify(render_answer(f"{mark}\n", language), row).is_correct


def test_a_mark_stays_with_its_line_in_python():
    row = {"language": "Python", "before": "", "resolution": "f()  # type: ignore\ng()\n", "after": ""}
    assert verify(render_answer("f() # type: ignore\ng()\n", "Python"), row).is_correct
    assert not verify(render_answer("f()\n# type: ignore\ng()\n", "Python"), row).is_correct
    row["resolution"] = "if a:\n    # type: ignore\n    f()\n"
    assert verify(render_answer("if a:\n  # type: ignore\n    f()\n", "Python"), row).is_correct


@pytest.mark.parametrize("comment", ["# about the coding: see below", "# encoding=all of it"])
def test_the_encoding_stands_in_the_first_lines(comment):
    row = {"language": "Python", "before": "a = 1\nb = 2\n", "resolution": "c = 3\n", "after": "d = 4\n"}
    assert verify(render_answer(f"a = 1\nb = 2\n{comment}\nc = 3\nd = 4\n", "Python"), row).is_correct
    row = {"language": "Python", "before": "", "resolution": "# vim: set fileencoding=latin-1 :\na = 1\n", "after": ""}
    assert not verify(render_answer("# vim: set fileencoding=utf-8 :\na = 1\n", "Python"), row).is_correct


def test_the_table_is_of_languages_and_reasons():
    assert set(DIRECTIVES) | set(MISREAD) <= set(languages.TABLE)
    assert {language for language, *_ in OBEYED} >= set(DIRECTIVES) - {
        *("Kotlin", "Groovy", "C#", "Objective-C", "Elixir", "Clojure"),  # have the marks of others
        *("HTML", "Vue", "Dockerfile"),  # all comments count in what is compared line by line
    }
    for marks in DIRECTIVES.values():
        assert all(reason and re.compile(pattern) for reason, pattern in marks)


signs = ["//", "///", "#", "--", "/*", "*/", "/**", "*", "{-", "-}", "<!--", "-->", "\n", "(", ")", '"', "```", "a"]
marks = ["@A(", "@a.b", "@deprecated", "[[[cog", "]]]", "Output:", "#include", "type:", "ignore", "name:", "+goose"]
comments = st.lists(st.sampled_from(signs + marks), max_size=25).map(" ".join)


@settings(deadline=None, derandomize=True, max_examples=150)
@example("/** @A(" + "(" * 3000, "PHP", "")
@example("// Output:\n" * 2000, "Go", "")
@example("/** @a.b " * 2000, "Java", "")
@example("# [[[cog\n" * 1000, "Python", "")
@given(comments, st.sampled_from(sorted(languages.TABLE)), comments)
def test_parts_stay_within_their_comment(text, language, before):
    obeyed = Obeyed(before + text, language)
    start, end = len(before), len(before + text)
    parts = list(obeyed.parts(start, end))
    assert all(start <= offset < end and part for part, offset in parts)
    assert [offset for _, offset in parts] == sorted(offset for _, offset in parts)
    assert parts == list(obeyed.parts(start, end)) == list(Obeyed(before + text, language).parts(start, end))
    lex(before + text, language)
