# SPDX-License-Identifier: GPL-2.0
"""A raw client that sends without waiting for answers, for tests of how a connection behaves. [MS-SMB2] 2.2 and 3.2."""

import os
import socket
import struct

from .proc import Failure, check
from .rawsmb import HEADER, SIGNED, Raw, signed

OPLOCK_BREAK = 18
PENDING = 0x103
UNSOLICITED = 0xFFFFFFFFFFFFFFFF


class Answer:
    """One answer, or a notification."""

    def __init__(self, pdu):
        self.pdu = bytes(pdu)
        (_, _, self.charge, self.status, self.command, self.credits, self.flags, _, self.message, _, self.tree, self.session, self.signature) = (
            HEADER.unpack_from(self.pdu)
        )
        self.body = self.pdu[64:]

    @property
    def is_pending(self):
        return self.status == PENDING and bool(self.flags & 2)


class Pipelined(Raw):
    """`post` sends and `take` receives, in any order; `credits` are those that the server granted and are not used."""

    def __init__(self, host="127.0.0.1", port=445, receive_buffer=None, timeout=60):
        super().__init__(host, port)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", timeout, 0))

    def pdu(self, command, body, *, charge=1, credits=256, sign=True, flags=0, message=None, sequence=0, tree=None):
        """One request, whose message id is the next unless told."""
        if message is None:
            message = self.message
            self.message += charge
        if sign:
            flags |= SIGNED
        tree = self.tree if tree is None else tree
        pdu = HEADER.pack(b"\xfeSMB", 64, charge, sequence, command, credits, flags, 0, message, 0xFEFF, tree, self.session, b"\0" * 16) + body
        if sign:
            pdu = signed(self.signing_key, pdu)
        return message, pdu

    def send_frame(self, pdu):
        self.socket.sendall(struct.pack(">I", len(pdu)) + pdu)

    def post(self, command, body, **how):
        """Sends one request; gives its message id."""
        message, pdu = self.pdu(command, body, **how)
        self.send_frame(pdu)
        return message

    def take(self):
        """The next message from the server, whatever it is."""
        return Answer(self._receive(int.from_bytes(self._receive(4), "big")))

    def answer_to(self, message, others=None):
        """The final answer to `message`; what comes before it is put into the list `others`."""
        while True:
            answer = self.take()
            if answer.message == message and not answer.is_pending:
                return answer
            if others is not None:
                others.append(answer)

    def ask(self, command, body, **how):
        """Sends one request and gives its answer, whatever its status."""
        return self.answer_to(self.post(command, body, **how))

    def is_closed(self):
        """Whether the server ends the connection without another word."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except OSError as error:
            raise Failure(f"the connection stays open: {error}") from error


def read_body(file_id, offset, length):
    return struct.pack("<HBBIQ16sIIIHH", 49, 0, 0, length, offset, file_id, 0, 0, 0, 0, 0) + b"\0"


def write_body(file_id, offset, data):
    return struct.pack("<HHIQ16sIIHHI", 49, 112, len(data), offset, file_id, 0, 0, 0, 0, 0) + data


def create_body(name, *, access=0x0012019F, share=7, disposition=3, options=0, oplock=0, contexts=b""):
    """CREATE; `contexts` are encoded already."""
    path = name.encode("utf-16-le")
    name_at = 120
    padding = b"\0" * (-len(path) % 8) if contexts else b""
    at = name_at + len(path) + len(padding) if contexts else 0
    return (
        struct.pack(
            "<HBBIQQIIIIIHHII", 57, 0, oplock, 2, 0, 0, access, 0x80, share, disposition, options, name_at, len(path), at, len(contexts)
        )
        + (path or (b"" if contexts else b"\0"))
        + padding
        + contexts
    )


def file_id_of(answer):
    check(answer.status == 0, f"CREATE was answered with {answer.status:#x}")
    return answer.pdu[128:144]


def session(share, user, password, **how):
    """Connected, logged on, and connected to `share`."""
    raw = Pipelined(**how)
    raw.negotiate()
    raw.log_on(user, password)
    raw.connect_tree(share)
    return raw


def more_credits(raw, wanted):
    """Asks for credits until there are `wanted`; gives how many there are."""
    have = 0
    for _ in range(64):
        have += raw.ask(13, struct.pack("<HH", 4, 0), credits=8192, sign=False).credits - 1
        if have >= wanted:
            break
    return have


def guid():
    return os.urandom(16)
