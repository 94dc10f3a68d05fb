# SPDX-License-Identifier: GPL-2.0
"""A raw client that can also seal. [MS-SMB2] 3.1.4.2, 3.1.4.3."""

import hashlib
import hmac
import os
import struct

from lib import machine, rawconn, rawsmb
from lib.proc import Failure, patient

GCM = 2
TRANSFORM = struct.Struct("<4s16s12s4xIHHQ")


def _key(session_key, label, preauth):
    """[SP800-108] in counter mode, 128 bits."""
    return hmac.new(session_key, b"\0\0\0\1" + label + b"\0\0" + preauth + b"\0\0\0\x80", hashlib.sha256).digest()[:16]


class Session(rawconn.Pipelined):
    """Connected, and not logged on yet. With `sealed`, all that follows the login is encrypted with AES-128-GCM."""

    def __init__(self, sealed=False):
        super().__init__(timeout=patient(20))
        self.sealed = sealed
        self.sealing = self.opening = None

    def negotiate(self):
        context = struct.pack("<HHI", 1, 38, 0) + struct.pack("<HHH", 1, 32, 1) + os.urandom(32)
        if self.sealed:
            context += b"\0\0" + struct.pack("<HHIHH", 2, 4, 0, 1, GCM)
        # Body 36 + one dialect 2, padded to 8 from the header's start: 64 + 38 -> 104.
        body = struct.pack("<HHHHI16sIHH", 36, 1, 1, 0, 0x44, os.urandom(16), 104, 1 + self.sealed, 0)
        self.call(rawsmb.NEGOTIATE, body + struct.pack("<H", 0x311) + b"\0\0" + context, preauth=True)
        self.preauth = self.answer_hash

    def log_on(self, user, password):
        super().log_on(user, password)
        if self.sealed:
            self.sealing = _key(self.session_key, b"SMBC2SCipherKey", self.preauth)
            self.opening = _key(self.session_key, b"SMBS2CCipherKey", self.preauth)

    def call(self, command, body, expect=0, sign=False, charge=1, preauth=False):
        if not self.sealing:
            return super().call(command, body, expect, sign, charge, preauth)
        answer = self.ask(command, body, charge=charge, sign=False)
        if answer.status != expect:
            raise Failure(f"command {command} was answered with status {answer.status:#010x}, not {expect:#x}")
        return answer.pdu

    def send_frame(self, pdu):
        if self.sealing:
            nonce = os.urandom(12)
            head = TRANSFORM.pack(b"\xfdSMB", b"\0" * 16, nonce, len(pdu), 0, 1, self.session)
            cipher = rawsmb.AES.new(self.sealing, rawsmb.AES.MODE_GCM, nonce=nonce)
            # What is protected of the head begins behind the signature.
            cipher.update(head[20:])
            sealed, tag = cipher.encrypt_and_digest(pdu)
            pdu = head[:4] + tag + head[20:] + sealed
        super().send_frame(pdu)

    def frame(self):
        """The next frame from the server, opened when it is sealed; all of it, if it is a compound."""
        frame = bytes(self._receive(int.from_bytes(self._receive(4), "big")))
        if not self.sealing:
            return frame
        if len(frame) < TRANSFORM.size or frame[:4] != b"\xfdSMB":
            raise Failure("an answer is not encrypted")
        _, tag, nonce, size, _, _, _ = TRANSFORM.unpack_from(frame)
        cipher = rawsmb.AES.new(self.opening, rawsmb.AES.MODE_GCM, nonce=nonce)
        cipher.update(frame[20 : TRANSFORM.size])
        try:
            pdu = cipher.decrypt_and_verify(frame[TRANSFORM.size :], tag)
        except ValueError:
            raise Failure("an answer cannot be decrypted") from None
        if len(pdu) != size:
            raise Failure(f"an answer of {size} bytes has {len(pdu)}")
        return pdu

    def take(self):
        return rawconn.Answer(self.frame())


class Client:
    """A session that is made anew when a failure ended it."""

    def __init__(self, sealed=False):
        self.raw, self.sealed = None, sealed

    def session(self):
        if self.raw is None:
            # Kept first: what fails on the way is closed too.
            self.raw = Session(self.sealed)
            self.raw.negotiate()
            self.raw.log_on(machine.USER, machine.PASSWORD)
            self.raw.connect_tree("share")
        return self.raw

    def renew(self):
        """A new session; one failed allocation does not keep it from being made."""
        for _ in range(3):
            self.drop()
            try:
                return self.session()
            except (Failure, OSError, struct.error):
                continue
        raise Failure("nobody can connect any more")

    def drop(self):
        if self.raw is not None:
            self.raw.close_socket()
            self.raw = None
