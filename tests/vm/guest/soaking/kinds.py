# SPDX-License-Identifier: GPL-2.0
"""The kinds of samples. Imports nothing that only a guest has: the host judges and plots by them."""

# What is plotted and judged: name -> (unit, how much it may be more at the end than at the beginning).
KINDS = {
    "kernel": ("KiB", 4096), "Slab": ("KiB", 3072), "SUnreclaim": ("KiB", 2048), "VmallocUsed": ("KiB", 512), "Percpu": ("KiB", 512),
    "KernelStack": ("KiB", 256), "files": ("count", 48), "sockets": ("count", 8), "connections": ("count", 0), "sessions": ("count", 0),
    "trees": ("count", 0), "opens": ("count", 0), "locks": ("count", 0), "threads": ("count", 0),
    "references": ("count", 0), "daemon-memory": ("KiB", 2048), "daemon-descriptors": ("count", 2),
}
