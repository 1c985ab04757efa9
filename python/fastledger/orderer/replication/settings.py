# SPDX-License-Identifier: Apache-2.0
"""What orderer.yaml says of pulling blocks from other orderers."""

from dataclasses import dataclass

from fastledger.common.settings import seconds, whole


@dataclass(frozen=True, slots=True)
class ReplicationSettings:
    """``General.Cluster``, as far as it is about replication."""

    dial_timeout_s: float = seconds(
        "DialTimeout", 5, "Another orderer that does not answer a call is given up.", zero=False
    )
    pull_timeout_s: float = seconds(
        "ReplicationPullTimeout",
        5,
        "One that is asked for a block it has, and sends none, is given up.",
        zero=False,
    )
    retry_timeout_s: float = seconds(
        "ReplicationRetryTimeout",
        5,
        "Longest pause between attempts, until ReplicationMaxRetries of them have failed.",
        zero=False,
    )
    max_retries: int = whole(
        "ReplicationMaxRetries",
        12,
        "After so many attempts without a block it is an error, and pauses grow up to a minute.",
        least=1,
        zero=False,
    )
