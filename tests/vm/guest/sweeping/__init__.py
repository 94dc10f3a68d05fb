# SPDX-License-Identifier: GPL-2.0
"""The parts of the suite `sweep`: a raw client that seals, and the work during which allocations fail."""
