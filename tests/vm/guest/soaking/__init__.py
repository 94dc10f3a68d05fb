# SPDX-License-Identifier: GPL-2.0
"""The parts of `make soak` in the guest: clients that work, what disturbs them, and what is measured."""
