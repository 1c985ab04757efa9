# SPDX-License-Identifier: Apache-2.0
"""``python -m fastledger`` is the ``fastledger`` command."""

from fastledger.cli.main import main

main(prog_name="fastledger")
