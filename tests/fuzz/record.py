#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Records what clients and a server say, for the seeds: a relay between them. `record.py PORT SERVER:PORT FOLDER` listens on a port of
this machine until it is interrupted. Clients may sign and must not seal. FOLDER gets, as recorded/ has them:

  logins.hex  NEGOTIATE and SESSION_SETUP, `>` from the client and `<` from the server, a frame a line
  calls.hex   the fragments that clients wrote to pipes, each behind the pipe's name
"""

import os
import socket
import struct
import sys
import threading

NEGOTIATE, SESSION_SETUP, CREATE, WRITE, IOCTL = 0, 1, 5, 9, 11
REPLY = 1
# Where a body begins, and what a procedure call's fragments do.
BODY, RPC = 64, (5, 0)


class Recording:
    """What was said on all connections; those that are the same in all bytes are there once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.logins = []
        self.calls = []

    def frame(self, way, frame, connection):
        """Notes a frame. `connection` has the pipes of one connection: by message while they are opened, and by open."""
        with self.lock:
            if frame[:4] == b"\xffSMB":
                self.logins.append(f"{way} {frame.hex()}")
            elif frame[:4] == b"\xfeSMB":
                self._messages(way, frame, connection)

    def _messages(self, way, frame, connection):
        command = struct.unpack_from("<H", frame, 12)[0]
        if command in (NEGOTIATE, SESSION_SETUP):
            self.logins.append(f"{way} {frame.hex()}")
        at = 0
        while True:
            following = struct.unpack_from("<I", frame, at + 20)[0]
            self._message(frame[at:at + following] if following else frame[at:], connection)
            if not following:
                return
            at += following

    def _message(self, pdu, connection):
        command, flags, number = struct.unpack_from("<H", pdu, 12)[0], struct.unpack_from("<I", pdu, 16)[0], struct.unpack_from("<Q", pdu, 24)[0]
        if flags & REPLY:
            if command == CREATE and pdu[8:12] == bytes(4) and number in connection:
                connection[pdu[BODY + 64:BODY + 80]] = connection.pop(number)
        elif command == CREATE:
            offset, length = struct.unpack_from("<HH", pdu, BODY + 44)
            connection[number] = pdu[offset:offset + length].decode("utf-16-le").lower().lstrip("\\")
        elif command in (WRITE, IOCTL):
            if command == WRITE:
                (offset, length), of = struct.unpack_from("<HI", pdu, BODY + 2), pdu[BODY + 16:BODY + 32]
            else:
                (offset, length), of = struct.unpack_from("<II", pdu, BODY + 24), pdu[BODY + 8:BODY + 24]
            data = pdu[offset:offset + length]
            if tuple(data[:2]) == RPC and of in connection:
                self.calls.append(f"{connection[of]} {data.hex()}")

    def write(self, folder):
        for name, lines in (("logins", self.logins), ("calls", self.calls)):
            with open(os.path.join(folder, f"{name}.hex"), "w", encoding="ascii") as file:
                file.write("# SPDX-License-Identifier: GPL-2.0\n" + "".join(f"{line}\n" for line in dict.fromkeys(lines)))


def exactly(sock, count):
    data = b""
    while len(data) < count:
        some = sock.recv(count - len(data))
        if not some:
            raise EOFError
        data += some
    return data


def pump(way, source, sink, recording, connection):
    try:
        while True:
            head = exactly(source, 4)
            frame = exactly(source, int.from_bytes(head[1:], "big"))
            recording.frame(way, frame, connection)
            sink.sendall(head + frame)
    except (EOFError, OSError):
        for sock in (source, sink):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def main(port, server, folder):
    host, _, its_port = server.rpartition(":")
    recording = Recording()
    listener = socket.create_server(("127.0.0.1", int(port)))
    try:
        while True:
            client, _ = listener.accept()
            connection = {}
            other = socket.create_connection((host, int(its_port)))
            for way, source, sink in ((">", client, other), ("<", other, client)):
                threading.Thread(target=pump, args=(way, source, sink, recording, connection), daemon=True).start()
    except KeyboardInterrupt:
        recording.write(folder)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
