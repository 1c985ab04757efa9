# SPDX-License-Identifier: Apache-2.0
"""Node processes: rooms built from configuration and joined by queues."""
