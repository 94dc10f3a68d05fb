# SPDX-License-Identifier: GPL-2.0
"""One module a suite; each runs in a VM of its own."""
