# SPDX-License-Identifier: Apache-2.0
"""Measures the engine on channels that it makes: workloads, runs, reports."""
