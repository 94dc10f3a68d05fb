# SPDX-License-Identifier: GPL-2.0
"""The benchmark's cases. Their figures count the guest's instructions (one is one nanosecond), so they do not depend on the host."""
