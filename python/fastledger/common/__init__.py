# SPDX-License-Identifier: Apache-2.0
"""What every package may use: errors and validation codes."""
