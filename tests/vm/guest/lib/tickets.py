# SPDX-License-Identifier: GPL-2.0
"""Kerberos tickets made with the service's own key, and the tokens that carry them: what no KDC gives and no client sends.

RFC 4120 5.3 and 5.5.1, RFC 4121 4.1.1, RFC 4178 4.2. The keys and ciphers are impacket's.
"""

import datetime
import hashlib
import hmac
import os
import struct

from impacket.krb5 import constants
from impacket.krb5.asn1 import AP_REQ, Authenticator, EncTicketPart, seq_set
from impacket.krb5.crypto import Key, _enctype_table, string_to_key
from impacket.krb5.types import EncryptedData, KerberosTime, Principal
from impacket.krb5.types import Ticket as TicketName
from pyasn1.codec.der import encoder
from pyasn1.type.univ import noValue

from . import kdc, rawsmb

AES256 = 18
SPNEGO = bytes.fromhex("2b0601050502")
KRB5 = bytes.fromhex("2a864886f712010202")
MS_KRB5 = bytes.fromhex("2a864882f712010202")
NTLMSSP = bytes.fromhex("2b06010401823702020a")
UNKNOWN = bytes.fromhex("2b06010401823702021e")


def der(tag, content):
    """One DER element."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def framed(oid, content):
    """A GSS-API token's frame."""
    return der(0x60, der(6, oid) + content)


def init(mechs, token=None):
    """NegTokenInit."""
    fields = der(0xA0, der(0x30, b"".join(der(6, mech) for mech in mechs)))
    if token is not None:
        fields += der(0xA2, der(4, token))
    return framed(SPNEGO, der(0xA0, der(0x30, fields)))


def resp(token):
    """NegTokenResp of a client."""
    return der(0xA1, der(0x30, der(0xA2, der(4, token))))


class Ticket:
    """A ticket for cifs/`host`, and the session key in it. `life` in seconds, `padding` in bytes."""

    def __init__(self, client, realm=kdc.REALM, host=kdc.HOST, password=kdc.SERVICE_PASSWORD, life=600, began=-60, padding=0):
        self.client, self.realm = client, realm
        self.cipher = _enctype_table[AES256]
        service_key = string_to_key(AES256, password, f"{kdc.REALM}cifs{host}")
        self.key = Key(AES256, os.urandom(32))
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        part = EncTicketPart()
        part["flags"] = constants.encodeFlags([constants.TicketFlags.transited_policy_checked.value])
        part["key"] = noValue
        part["key"]["keytype"] = AES256
        part["key"]["keyvalue"] = self.key.contents
        part["crealm"] = realm
        seq_set(part, "cname", self._name().components_to_asn1)
        part["transited"] = noValue
        part["transited"]["tr-type"] = 1
        part["transited"]["contents"] = b""
        part["authtime"] = KerberosTime.to_asn1(now + datetime.timedelta(seconds=began))
        part["starttime"] = KerberosTime.to_asn1(now + datetime.timedelta(seconds=began))
        part["endtime"] = KerberosTime.to_asn1(now + datetime.timedelta(seconds=life))
        if padding:
            # As a PAC lies in a ticket: AD-IF-RELEVANT around a type that nobody knows.
            inner = der(0x30, der(0x30, der(0xA0, der(2, b"\x03\xe7")) + der(0xA1, der(4, b"p" * padding))))
            part["authorization-data"] = noValue
            part["authorization-data"][0] = noValue
            part["authorization-data"][0]["ad-type"] = 1
            part["authorization-data"][0]["ad-data"] = inner
        sealed = self.cipher.encrypt(service_key, 2, encoder.encode(part), None)
        self.ticket = TicketName()
        self.ticket.service_principal = Principal(f"cifs/{host}@{kdc.REALM}", type=constants.PrincipalNameType.NT_SRV_INST.value)
        self.ticket.tkt_vno = 5
        self.ticket.encrypted_part = EncryptedData()
        self.ticket.encrypted_part.etype, self.ticket.encrypted_part.kvno, self.ticket.encrypted_part.ciphertext = AES256, 1, sealed

    def _name(self):
        return Principal(self.client, type=constants.PrincipalNameType.NT_PRINCIPAL.value)

    def token(self):
        """A Kerberos token: an AP-REQ without mutual authentication, so that the ticket's session key is the session's."""
        request = AP_REQ()
        request["pvno"] = 5
        request["msg-type"] = int(constants.ApplicationTagNumbers.AP_REQ.value)
        request["ap-options"] = constants.encodeFlags([])
        seq_set(request, "ticket", self.ticket.to_asn1)
        authenticator = Authenticator()
        authenticator["authenticator-vno"] = 5
        authenticator["crealm"] = self.realm
        seq_set(authenticator, "cname", self._name().components_to_asn1)
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        authenticator["cusec"] = now.microsecond
        authenticator["ctime"] = KerberosTime.to_asn1(now)
        authenticator["cksum"] = noValue
        authenticator["cksum"]["cksumtype"] = 0x8003
        # No channel bindings; confidentiality and integrity.
        authenticator["cksum"]["checksum"] = struct.pack("<I16sI", 16, b"\0" * 16, 0x30)
        authenticator["seq-number"] = 1
        sealed = self.cipher.encrypt(self.key, 11, encoder.encode(authenticator), None)
        request["authenticator"] = noValue
        request["authenticator"]["etype"] = AES256
        request["authenticator"]["cipher"] = sealed
        return framed(KRB5, b"\x01\0" + encoder.encode(request))


class Client(rawsmb.Raw):
    """A raw connection that logs on with tokens."""

    def __init__(self):
        super().__init__()
        self.negotiate()

    def present(self, token, expect=0):
        """One SESSION_SETUP; the server's token."""
        answer = self._session_setup(token, expect)
        if expect == rawsmb.MORE_PROCESSING:
            self.preauth = self.answer_hash
        return answer

    def use(self, key):
        """Signs with what the session key gives, [MS-SMB2] 3.1.4.2."""
        label = b"\0\0\0\1SMBSigningKey\0\0"
        self.signing_key = hmac.new(key[:16], label + self.preauth + b"\0\0\0\x80", hashlib.sha256).digest()[:16]

    def log_on_with(self, ticket, wrap=None):
        """Logs on with a ticket, in SPNEGO unless `wrap` does otherwise."""
        token = ticket.token()
        self.present(wrap(token) if wrap else init([MS_KRB5, KRB5, NTLMSSP], token))
        self.use(ticket.key.contents)
