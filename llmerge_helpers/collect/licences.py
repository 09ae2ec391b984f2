"""The licence of a project at one commit, as an SPDX name, from the text of its licence file."""

from __future__ import annotations

import re

_RULES = (  # of the rules whose every phrase stands in the text, the one that stands first
    ("AGPL-3.0", "gnu affero general public license", "version 3"),
    ("LGPL-3.0", "gnu lesser general public license", "version 3"),
    ("LGPL-2.1", "gnu lesser general public license", "version 2.1"),
    ("LGPL-2.0", "gnu library general public license", "version 2"),
    ("GPL-3.0", "gnu general public license", "version 3"),
    ("GPL-2.0", "gnu general public license", "version 2"),
    ("Apache-2.0", "apache license", "version 2.0"),
    ("MPL-2.0", "mozilla public license", "version 2.0"),
    ("EPL-2.0", "eclipse public license", "v 2.0"),
    ("EPL-1.0", "eclipse public license", "v 1.0"),
    ("CPL-1.0", "common public license", "v1.0"),
    ("CPL-1.0", "common public license", "v 1.0"),
    ("Unlicense", "this is free and unencumbered software"),
    ("CC0-1.0", "cc0 1.0 universal"),
    ("MIT", "permission is hereby granted, free of charge", "the above copyright notice and this permission notice"),
    ("ISC", "permission to use, copy, modify, and/or distribute this software"),
    ("ISC", "permission to use, copy, modify, and distribute this software"),
    ("BSD-3-Clause", "redistribution and use in source and binary forms", "endorse or promote"),
    ("BSD-2-Clause", "redistribution and use in source and binary forms"),
    ("Apache-2.0", "apache.org/licenses/license-2.0"),
)


def is_licence_file(name: str) -> bool:
    """Whether a file of this name in the top folder holds the licence.

    >>> is_licence_file("LICENSE.txt"), is_licence_file("COPYING"), is_licence_file("licenses.py")
    (True, True, False)
    """
    return bool(
        re.fullmatch(r"(UN)?LICEN[CS]E([-.](TXT|MD|RST|MIT|APACHE|HTML|JUNIT))?|COPYING([.](TXT|MD))?", name.upper())
    )


def spdx_of(text: str) -> str:
    """SPDX name of a licence text, or "unknown".

    Licences name one another further down (GPL 3 has a section on the AGPL), so the title decides.

    >>> spdx_of("Apache License\\n  Version 2.0, January 2004"), spdx_of("All rights reserved.")
    ('Apache-2.0', 'unknown')
    """
    if tag := re.search(r"SPDX-License-Identifier:\s*([\w.+-]+)", text):
        return tag[1]
    words = " ".join(text.lower().split())
    found = []
    for name, *phrases in _RULES:
        if all(phrase in words for phrase in phrases):
            found.append(([words.index(phrase) for phrase in phrases] + [len(words)], name))
    return min(found, key=lambda each: each[0], default=([], "unknown"))[1]
