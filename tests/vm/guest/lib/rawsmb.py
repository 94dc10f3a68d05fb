# SPDX-License-Identifier: GPL-2.0
"""A small SMB 3.1.1 client for measuring: one request at a time, and the time from sending it to having its answer.

What it computes itself (NTLMv2, keys, signatures) is outside of that time, so that the server's cost is not hidden behind the client's.
[MS-SMB2] 2.2 and 3.1.4, [MS-NLMP] 2.2 and 3.3.2. It asserts success and checks no more: it measures, the suites test.
"""

import hashlib
import hmac
import os
import socket
import struct
import time

from .proc import Failure

try:
    from Cryptodome.Cipher import AES
    from Cryptodome.Hash import CMAC, MD4
except ImportError:
    # The host only reads the names of the tests that use this.
    AES = CMAC = MD4 = None

NEGOTIATE, SESSION_SETUP, LOGOFF, TREE_CONNECT, TREE_DISCONNECT, CREATE, CLOSE = range(7)
READ, WRITE, ECHO = 8, 9, 13
MORE_PROCESSING = 0xC0000016
SIGNED = 8
HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")


def _utf16(text):
    return text.encode("utf-16-le")


def _hmac_md5(key, data):
    return hmac.new(key, data, hashlib.md5).digest()


def nt_hash(password):
    # Only a guest has the library; the host imports this file to know the tests.
    from Cryptodome.Hash import MD4

    return MD4.new(_utf16(password)).digest()


def signed(key, pdu):
    """`pdu` with its AES-CMAC in the signature field."""
    from Cryptodome.Cipher import AES
    from Cryptodome.Hash import CMAC

    mac = CMAC.new(key, ciphermod=AES)
    mac.update(pdu)
    return pdu[:48] + mac.digest() + pdu[64:]


class Raw:
    """One connection. `waited` sums the nanoseconds between sending and receiving."""

    def __init__(self, host="127.0.0.1", port=445):
        self.waited = 0
        self.message = 0
        self.session = self.tree = 0
        self.session_key = self.signing_key = None
        self.buffer = bytearray(1 << 16)
        self.preauth = b"\0" * 64
        start = time.monotonic_ns()
        self.socket = socket.create_connection((host, port))
        self.waited += time.monotonic_ns() - start
        # The kernel's timeouts and not Python's, which would make the socket non-blocking and cost a poll for each call.
        for limit in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.socket.setsockopt(socket.SOL_SOCKET, limit, struct.pack("ll", 300, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close_socket(self):
        self.socket.close()

    def _receive(self, size):
        """The next `size` bytes, in a buffer that is used again and again: fresh memory would cost page faults."""
        if size > len(self.buffer):
            self.buffer = bytearray(size)
        view = memoryview(self.buffer)[:size]
        got = self.socket.recv_into(view, size, socket.MSG_WAITALL)
        if got != size:
            raise Failure(f"the server closed the connection ({got} of {size} bytes)")
        return view

    def call(self, command, body, expect=0, sign=False, charge=1, preauth=False):
        """Sends one request and returns the answer's PDU, which lasts until the next call."""
        flags = SIGNED if sign else 0
        header = HEADER.pack(b"\xfeSMB", 64, charge, 0, command, 64, flags, 0, self.message, 0xFEFF, self.tree, self.session, b"\0" * 16)
        self.message += charge
        pdu = header + body
        if sign:
            pdu = signed(self.signing_key, pdu)
        packet = struct.pack(">I", len(pdu)) + pdu
        start = time.monotonic_ns()
        self.socket.sendall(packet)
        while True:
            answer = self._receive(int.from_bytes(self._receive(4), "big"))
            status, flags = struct.unpack_from("<I4xI", answer, 8)
            # An interim answer: the final one follows.
            if not (status == 0x103 and flags & 2):
                break
        self.waited += time.monotonic_ns() - start
        if status != expect:
            raise Failure(f"command {command} was answered with status {status:#010x}, not {expect:#x}")
        if preauth:
            self.preauth = hashlib.sha512(self.preauth + pdu).digest()
            self.answer_hash = hashlib.sha512(self.preauth + answer).digest()
        return answer

    def negotiate(self):
        """3.1.1 only; preauth integrity, and signing with AES-CMAC, which the absence of a signing context means."""
        context = struct.pack("<HHI", 1, 38, 0) + struct.pack("<HHH", 1, 32, 1) + os.urandom(32)
        # Body 36 + one dialect 2, padded to 8 from the header's start: 64 + 38 -> 104.
        body = struct.pack("<HHHHI16sIHH", 36, 1, 1, 0, 0x44, os.urandom(16), 104, 1, 0) + struct.pack("<H", 0x311) + b"\0\0" + context
        self.call(NEGOTIATE, body, preauth=True)
        self.preauth = self.answer_hash

    def _session_setup(self, token, expect):
        body = struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, len(token), 0) + token
        answer = self.call(SESSION_SETUP, body, expect, preauth=True)
        self.session = struct.unpack_from("<Q", answer, 40)[0]
        offset, length = struct.unpack_from("<HH", answer, 68)
        return bytes(answer[offset : offset + length])

    def log_on(self, user, password):
        """Raw NTLMSSP, NTLMv2 without a key exchange: the session key is the session base key."""
        flags = 0xA0088215
        challenge = self._session_setup(b"NTLMSSP\0" + struct.pack("<II", 1, flags) + b"\0" * 16, MORE_PROCESSING)
        self.preauth = self.answer_hash
        server_challenge = challenge[24:32]
        size, offset = struct.unpack_from("<H2xI", challenge, 40)
        info = challenge[offset : offset + size]
        response_key = _hmac_md5(nt_hash(password), _utf16(user.upper()))
        now = struct.pack("<Q", (int(time.time()) + 11644473600) * 10_000_000)
        blob = b"\1\1" + b"\0" * 6 + now + os.urandom(8) + b"\0" * 4 + info + b"\0" * 4
        proof = _hmac_md5(response_key, server_challenge + blob)
        self.session_key = _hmac_md5(response_key, proof)
        fields = [b"\0" * 24, proof + blob, b"", _utf16(user), _utf16("BENCH"), b""]
        offset, heads = 64, b""
        for field in fields:
            heads += struct.pack("<HHI", len(field), len(field), offset)
            offset += len(field)
        self._session_setup(b"NTLMSSP\0" + struct.pack("<I", 3) + heads + struct.pack("<I", flags) + b"".join(fields), 0)
        # [SP800-108] in counter mode; the context is the hash that includes the request just sent, but not its answer.
        self.signing_key = hmac.new(self.session_key, b"\0\0\0\1SMBSigningKey\0\0" + self.preauth + b"\0\0\0\x80", hashlib.sha256).digest()[:16]

    def connect_tree(self, share, host="127.0.0.1"):
        path = _utf16(f"\\\\{host}\\{share}")
        answer = self.call(TREE_CONNECT, struct.pack("<HHHH", 9, 0, 72, len(path)) + path, sign=True)
        self.tree = struct.unpack_from("<I", answer, 36)[0]

    def log_off(self):
        self.call(LOGOFF, struct.pack("<HH", 4, 0), sign=True)

    def create(self, name, access=0x00120089, disposition=1, options=0):
        """Opens (or with another disposition makes) a file; returns its id."""
        path = _utf16(name)
        body = struct.pack("<HBBIQQIIIIIHHII", 57, 0, 0, 2, 0, 0, access, 0x80, 7, disposition, options, 120, len(path), 0, 0) + (path or b"\0")
        return bytes(self.call(CREATE, body)[128:144])

    def close(self, file_id):
        self.call(CLOSE, struct.pack("<HHI", 24, 0, 0) + file_id)

    def read(self, file_id, offset, length):
        charge = max(1, (length + 65535) // 65536)
        body = struct.pack("<HBBIQ16sIIIHH", 49, 0, 0, length, offset, file_id, 0, 0, 0, 0, 0) + b"\0"
        answer = self.call(READ, body, charge=charge)
        start, size = struct.unpack_from("<BxI", answer, 66)
        if size != length or start + size > len(answer):
            raise Failure(f"READ of {length} bytes gave {size}")

    def write(self, file_id, offset, data):
        charge = max(1, (len(data) + 65535) // 65536)
        body = struct.pack("<HHIQ16sIIHHI", 49, 112, len(data), offset, file_id, 0, 0, 0, 0, 0) + data
        answer = self.call(WRITE, body, charge=charge)
        if struct.unpack_from("<I", answer, 68)[0] != len(data):
            raise Failure(f"WRITE of {len(data)} bytes wrote another number")

    def echo(self):
        self.call(ECHO, struct.pack("<HH", 4, 0))


def session(share, user, password):
    """Connected, logged on, and connected to `share`."""
    raw = Raw()
    raw.negotiate()
    raw.log_on(user, password)
    raw.connect_tree(share)
    return raw
