# SPDX-License-Identifier: Apache-2.0
"""Go's templates; what is expected here Go 1.26's text/template was seen to make."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastledger.common import gotemplate
from fastledger.common.errors import InputError

PRINTED = '    1|a    |6869|"q"|2.5|int|true|A'

FIELDS = {"Prefix": "peer", "Index": 7, "Domain": "a.test"}


def fill(template: str) -> str:
    return gotemplate.fill(template, "HostnameData", FIELDS)


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{{.Prefix}}{{.Index}}", "peer7"),
        ('p{{printf "%02d" .Index}}', "p07"),
        ("{{ .Prefix | printf `%s-%s` .Domain }}", "a.test-peer"),
        ("{{if eq .Index 7}}seven{{else}}other{{end}}", "seven"),
        ("{{if lt .Index 5}}a{{else if gt .Index 6}}b{{else}}c{{end}}", "b"),
        ("{{with .Prefix}}{{.}}{{end}}{{with ``}}x{{else}}y{{end}}", "peery"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{range $i := 3}}{{if eq $i 1}}{{continue}}{{end}}{{$i}}{{end}}", "02"),
        ("{{range 5}}{{.}}{{if eq . 2}}{{break}}{{end}}{{end}}", "012"),
        ("{{range 0}}x{{else}}none{{end}}", "none"),
        ("{{$x := .Index}}{{$x = 8}}{{$x}}", "8"),
        (
            "{{$.Domain}} {{len .Domain}} {{index .Domain 0}} {{slice .Domain 2}}",
            "a.test 6 97 test",
        ),
        ("a  {{- .Index -}}  b", "a7b"),
        ("a{{/* comment */}}b {{- /* c */ -}} c", "abc"),
        ("{{and .Prefix .Index}} {{or `` .Index}} {{not .Index}}", "7 7 false"),
        (
            "{{eq .Index 1 2 7}} {{ne .Prefix `x`}} {{ge .Index 7}} {{le `a` `b`}}",
            "true true true true",
        ),
        ("{{print 1 2 `x` 3}} {{println .Index}}", "1 2x3 7\n"),
        ("{{html `<&>`}} {{js `'`}} {{urlquery `a b&`}}", "&lt;&amp;&gt; \\' a+b%26"),
        ("{{(printf `%d` 5)}} {{(.Index)}}", "5 7"),
        ("{{define `t`}}[{{.}}]{{end}}{{template `t` .Index}}{{block `b` 1}}{{.}}{{end}}", "[7]1"),
        (
            "{{1.5}} {{1e3}} {{0x1F}} {{'a'}} {{1_000}} {{true}} {{-3}}",
            "1.5 1000 31 97 1000 true -3",
        ),
        ("{{printf `%5d|%-5s|%x|%q|%v|%T|%t|%c` 1 `a` `hi` `q` 2.5 .Index true 65}}", PRINTED),
        (
            "{{printf `%[2]d %[1]d` 1 2}} {{printf `%*d` 4 5}} {{printf `%d` `x`}}",
            "2 1    5 %!d(string=x)",
        ),
        (
            "{{printf `%d`}} {{printf `a` 1}} {{printf `%z` 1}} {{printf `%`}}",
            "%!d(MISSING) a%!(EXTRA int=1) %!z(int=1) %!(NOVERB)",
        ),
        ("{{.}}", "{peer 7 a.test}"),
        ('{{"\\u00e9\\x41\\n"}}', "éA\n"),
    ],
)
def test_fills_in(template: str, filled: str) -> None:
    assert fill(template) == filled


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{{", "unclosed action"),
        (
            "{{.Nope}}",
            "can't evaluate field Nope in type main.HostnameData; there are Prefix, Index",
        ),
        ("{{.Prefix.X}}", "can't evaluate field X in type string"),
        ("{{nope}}", "function 'nope' not defined"),
        ("{{if .Index}}", "unexpected EOF"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{$x}}", "undefined variable"),
        ("{{len .Index}}", "len of type int"),
        ("{{index .Domain 6}}", "index out of range: 6"),
        ("{{slice .Domain 3 2}}", "invalid slice index: 3 > 2"),
        ("{{lt .Index `a`}}", "incompatible types for comparison: int and string"),
        ("{{not 1 2}}", "wrong number of args for not: want 1 got 2"),
        ("{{.Prefix 1}}", "can't give an argument"),
        ("{{nil}}", "nil is not a command"),
        ("{{1 | 2}}", "non executable command"),
        ("{{break}}", "outside {{range}}"),
        ("{{range .Prefix}}{{end}}", "range can't iterate over peer"),
        ("{{template `t`}}", "template 't' not defined"),
        ("{{08}}", "illegal number syntax"),
        ('{{"\\q"}}', "invalid syntax"),
        ("{{/* open", "unclosed comment"),
        ("{{(1}}", "unclosed left paren"),
        ("{{call .Prefix}}", "non-function"),
        ("{{range 1000000}}{{end}}", "more than 100000 steps"),
        ("{{range 70}}{{printf `%1000d` .}}{{end}}", "more than 65536 characters"),
        ("{{printf `%99999999d` 1}}", "at most 65536"),
        ("{{define `t`}}{{template `t`}}{{end}}{{template `t`}}", "maximum template depth"),
        ("(" * 3 + "{{" + "(" * 60 + "1" + ")" * 60 + "}}", "nests deeper"),
        ("{{printf `%s` (slice `é` 1)}}", "template"),
    ],
)
def test_refuses(template: str, problem: str) -> None:
    with pytest.raises(InputError) as raised:
        fill(template)
    assert problem in str(raised.value)


PIECES = [
    *("{{", "}}", "{{-", "-}}", "if ", "else", "end", "range ", "with ", "define ", "template "),
    *(
        ".Index",
        ".Domain",
        "$x",
        ":=",
        "=",
        "|",
        "(",
        ")",
        '"a"',
        "`b`",
        "'c'",
        "printf ",
        "%d",
        "1",
    ),
    *(" ", "len ", "eq ", "and ", "nil", "true", "/*", "*/", "x", "\n", ".", ",", "break", "$"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=30))
def test_anything_is_filled_in_or_refused(template: str) -> None:
    try:
        assert isinstance(fill(template), str)
    except InputError as error:
        assert str(error)
