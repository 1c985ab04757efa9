# SPDX-License-Identifier: Apache-2.0
"""Which peers there are: they tell each other that they live, who they are and what they have."""
