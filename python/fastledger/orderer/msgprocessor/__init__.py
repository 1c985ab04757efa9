# SPDX-License-Identifier: Apache-2.0
"""Judges messages before they are ordered, and makes configurations of updates.

Fabric: ``orderer/common/msgprocessor``. Nothing here knows how messages are ordered.
"""
