# SPDX-License-Identifier: Apache-2.0
"""The expressions that policies are written in.

Fabric reads policies with a general expression language (github.com/expr-lang/expr). This is the
part of it that a policy can use: calls, texts, numbers, truth values, operators, conditions, lists,
variables, comments and a few functions; with its errors, which end in the place:
``unknown name A (1:4)`` and the line with a mark.
"""

from collections.abc import Mapping
from typing import Any

from fastledger.common.errors import InputError
from fastledger.policies.expression.evaluation import EvaluationError, Evaluator, type_name
from fastledger.policies.expression.parser import MAX_NESTING, Parser

__all__ = ["MAX_CHARACTERS", "MAX_NESTING", "EvaluationError", "evaluate", "type_name"]

MAX_CHARACTERS = 1 << 16
"""Longest expression; a policy over a thousand organizations needs less."""


def evaluate(source: str, environment: Mapping[str, Any]) -> Any:
    """Evaluate an expression over the names of an environment.

    Raises:
        InputError: It is no expression, names something else, or a function refuses.
    """
    if len(source) > MAX_CHARACTERS:
        raise InputError(
            f"the policy has {len(source)} characters, at most {MAX_CHARACTERS} are read"
        )
    root = Parser(source).parse()
    evaluator = Evaluator(source, environment)
    evaluator.check(root, frozenset())
    return evaluator.run(root, {})
