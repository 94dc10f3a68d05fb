# SPDX-License-Identifier: GPL-2.0
"""The named tests. Imports nothing that only a guest has: the host reads the same list to plan and to name what did not run."""

import importlib
import os
import pkgutil


# The names of the tests that close each suite, the last of them in the debug kernel only.
CLOSING = ("end", "leaks")


class Test:
    """One named test. `timeout` in seconds of the emulated machine's wall clock; `lacks` names, for servers other than ours,
    why they cannot pass it. One that closes its suite has no function: the runner does what it is about."""

    def __init__(self, name, function, timeout, lacks):
        self.name, self.function, self.timeout, self.lacks = name, function, timeout, lacks
        self.is_closing = function is None


class Suite:
    """The tests of one VM run. `disk` is the size of its ext4 disk (0: none, shares are tmpfs), `memory` in MiB, `cost` an estimate in
    seconds, for starting the longest first; `cpus` are 1 where nothing is about races, for an emulated machine spends a quarter less
    then; `needs` = "debug" has it run in the debug kernel only; `clients` says that it runs programs of the tests' own, which are
    built before; `fill` has the kernel fill memory that is free with a pattern, which is not to be seen outside."""

    def __init__(self, name, disk="0", memory=1536, cost=60, cpus=2, needs="", clients=False, fill=False):
        self.name, self.disk, self.memory, self.cost, self.cpus, self.needs = name, disk, memory, cost, cpus, needs
        self.clients, self.fill = clients, fill
        self.tests = []
        self.set_up = None

    def test(self, name, timeout=120, lacks=None):
        """Registers the function as the test `suite.name`."""

        def register(function):
            self.add(name, function, timeout, lacks)
            return function

        return register

    def add(self, name, function, timeout=120, lacks=None):
        """The same for tests made in a loop. A name is one test's, and not one of those that close the suite."""
        taken = [*CLOSING, *(test.name.removeprefix(f"{self.name}.") for test in self.tests)]
        if name in taken:
            raise ValueError(f"there are two tests {self.name}.{name}")
        self.tests.append(Test(f"{self.name}.{name}", function, timeout, lacks or {}))

    def before(self, function):
        """`function(server)` runs before the first test and after every repair; it starts what the tests share."""
        self.set_up = function
        return function


def closing(suite, is_debug):
    """The tests that follow those of each suite, whichever of them were selected: the clients and the server go away as they should, and
    in the debug kernel nothing leaked."""
    names = CLOSING if is_debug else CLOSING[:1]
    return [Test(f"{suite.name}.{name}", None, 300, {}) for name in names]


def load_all():
    """Every suite, by name."""
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "suites")
    suites = {}
    for module in pkgutil.iter_modules([folder]):
        suite = importlib.import_module(f"suites.{module.name}").suite
        suites[suite.name] = suite
    return suites
