# SPDX-License-Identifier: Apache-2.0
"""The REST interface by which administrators join and remove channels."""
