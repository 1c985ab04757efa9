# SPDX-License-Identifier: Apache-2.0
"""Templates as Go's ``text/template`` fills them in: ``p{{printf "%02d" .Index}}``.

All of the language is here, over data that is a structure of texts and whole numbers, but for
complex numbers and ``call``, which such data has no use for. What a template may do is bounded: see
:mod:`~fastledger.common.gotemplate.execution`.
"""

from collections.abc import Mapping

from fastledger.common.errors import InputError
from fastledger.common.gotemplate.execution import execute
from fastledger.common.gotemplate.parser import parse
from fastledger.common.gotemplate.values import Struct, TemplateError

MAX_LENGTH = 1 << 16
"""Characters of a template; names are of a few dozen."""


def fill(template: str, name: str, fields: Mapping[str, str | int]) -> str:
    """Fill in a template.

    Args:
        template: The template.
        name: What the structure is called that it is filled in from.
        fields: What it can name, as ``.Hostname``.

    Raises:
        InputError: It is no template, or it cannot be carried out.
    """
    if len(template) > MAX_LENGTH:
        raise InputError(f"the template has {len(template)} characters, at most {MAX_LENGTH} are")
    try:
        filled = execute(parse(template), Struct(name, dict(fields)))
        return filled.encode("utf-8", "surrogateescape").decode()
    except (TemplateError, UnicodeError) as error:
        raise InputError(f"template {template!r}: {error}") from error
