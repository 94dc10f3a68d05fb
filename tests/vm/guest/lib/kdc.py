# SPDX-License-Identifier: GPL-2.0
"""A real Kerberos realm in the guest: Debian's krb5-kdc, with the server's principals and a keytab."""

import contextlib
import os
import subprocess

from . import machine, procfs
from .proc import run, wait_for

REALM = "KSMBD.TEST"
HOST = "server.ksmbd.test"
ALIAS = "alias.ksmbd.test"
STRANGE_HOST = "strange.ksmbd.test"
KEYTAB = "/etc/ksmbd.keytab"
STRANGER, STRANGER_PASSWORD = "stranger", "Stranger-009"
# The service's password, so that a test can make the tickets that no KDC would give.
SERVICE_PASSWORD = "service-secret"
# Seconds of clock difference that this realm allows: the least, so that tickets end when they say.
SKEW = 2

KRB5_CONF = f"""[libdefaults]
	default_realm = {REALM}
	dns_lookup_kdc = false
	dns_lookup_realm = false
	dns_canonicalize_hostname = false
	rdns = false
	clockskew = {SKEW}
	udp_preference_limit = 1
[realms]
	{REALM} = {{
		kdc = 127.0.0.1:88
	}}
[domain_realm]
	.ksmbd.test = {REALM}
"""
KDC_CONF = f"""[kdcdefaults]
	kdc_ports = 88
	kdc_tcp_ports = 88
[realms]
	{REALM} = {{
		database_name = /var/lib/krb5kdc/principal
		key_stash_file = /etc/krb5kdc/stash
		max_life = 1h
		supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal aes256-cts-hmac-sha384-192:normal
	}}
"""


def kadmin(*queries):
    for query in queries:
        run("kadmin.local", "-q", query)


def start():
    """Makes the realm, once a machine, and starts its KDC."""
    if procfs.listens(88):
        return
    machine.write("/etc/hosts", f"127.0.0.1 localhost {HOST} {ALIAS} {STRANGE_HOST}\n::1 localhost\n")
    machine.write("/etc/krb5.conf", KRB5_CONF)
    os.makedirs("/etc/krb5kdc", exist_ok=True)
    os.makedirs("/var/lib/krb5kdc", exist_ok=True)
    machine.write("/etc/krb5kdc/kdc.conf", KDC_CONF)
    run("kdb5_util", "create", "-r", REALM, "-s", "-P", "master")
    kadmin(
        f"addprinc -pw {machine.PASSWORD} {machine.USER}",
        f"addprinc -pw {machine.OTHER_PASSWORD} {machine.OTHER}",
        f"addprinc -pw {STRANGER_PASSWORD} {STRANGER}",
        f"addprinc -pw {SERVICE_PASSWORD} cifs/{HOST}",
        f"addprinc -pw {SERVICE_PASSWORD} cifs/{ALIAS}",
        f"addprinc -randkey cifs/{STRANGE_HOST}",
        f"ktadd -norandkey -k {KEYTAB} cifs/{HOST}",
        f"ktadd -norandkey -k {KEYTAB} cifs/{ALIAS}",
    )
    subprocess.Popen(["krb5kdc", "-n"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for("krb5kdc to listen", lambda: procfs.listens(88))


@contextlib.contextmanager
def tickets(user=machine.USER, password=machine.PASSWORD, life="10m"):
    """Root's credential cache, where cifs.upcall and smbclient look, holds the user's ticket."""
    run("kinit", "-l", life, f"{user}@{REALM}", input=f"{password}\n")
    try:
        yield
    finally:
        run("kdestroy", ok=False)
