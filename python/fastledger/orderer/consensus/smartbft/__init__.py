# SPDX-License-Identifier: Apache-2.0
"""BFT consensus: what its configurations must be. No channel is ordered by it yet."""
