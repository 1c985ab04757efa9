# SPDX-License-Identifier: Apache-2.0
"""Policies as people write them, and what they are evaluated over.

The core evaluates them, and writes them down again where it explains a verdict: see
:class:`fastledger.channelconfig.Bundle`.
"""

from fastledger.common.errors import PolicyUnsatisfied
from fastledger.policies.dsl import from_string
from fastledger.policies.making import n_out_of_role
from fastledger.protoutil.signed_data import SignedData

__all__ = ["PolicyUnsatisfied", "SignedData", "from_string", "n_out_of_role"]
