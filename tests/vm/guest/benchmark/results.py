# SPDX-License-Identifier: GPL-2.0
"""What the guest tells the host of its measurements."""

from lib import events


class Results:
    """Takes figures of the rows that are wanted, and is silent of others."""

    def __init__(self, wanted):
        self.wanted = {row.name: row for row in wanted}

    def value(self, name, value, client=None, waited=None):
        """A figure in the row's unit; the parts of the time that were the client's own, if that was subtracted, and in which nothing ran."""
        if name in self.wanted:
            events.send(event="result", row=name, value=value, client=client, waited=waited)

    def unsupported(self, name, why):
        """The server, or the client beside it, cannot do it."""
        if name in self.wanted:
            events.send(event="unsupported", row=name, why=why)

    def note(self, text):
        """A line below the table."""
        events.send(event="note", text=text)
