# SPDX-License-Identifier: GPL-2.0
"""The servers that a suite can run against: this project's two halves, the stock ones, any mixture, and Samba."""

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import time

from . import machine, module, procfs
from .proc import Failure, patient, run, tail, wait_for

CONF_DIR = "/etc/ksmbd"
OUR_TOOLS = "/host/tools"
C_TOOLS = "/opt/ksmbd-tools/usr/sbin"
CONTROL = "/sys/class/ksmbd-control"
PORT = 445

GLOBALS = {
    "netbios name": "KSMBD",
    "server string": "ksmbd under test",
    "workgroup": "WORKGROUP",
    "map to guest": "never",
    "server multi channel support": "no",
    "smb2 leases": "yes",
    "durable handles": "yes",
    "max connections": "256",
    "max ip connections": "256",
    "bind interfaces only": "yes",
    "interfaces": "lo",
}
SHARE = {
    "read only": "no",
    "browseable": "yes",
    "store dos attributes": "yes",
    "vfs objects": "streams_xattr acl_xattr",
    "create mask": "0755",
    "directory mask": "0755",
}


def conf_text(global_section, shares):
    """A ksmbd.conf (or smb.conf) of a global section and shares."""
    lines = []
    for name, keys in {"global": global_section, **shares}.items():
        lines.append(f"[{name}]")
        lines += [f"\t{key} = {value}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def port_open():
    """Whether something listens on the SMB port."""
    return procfs.listens(PORT)


def daemons():
    """The process ids of the daemon's managers and workers, whosever they are."""
    return procfs.processes("ksmbd.mountd", "ksmbd-mountd", "ksmbd.tools")


def _kill_daemons():
    """How many there were to be killed."""
    found = daemons()
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(found)


def loaded(module):
    return os.path.isdir(f"/sys/module/{module}")


class Server:
    """A server that can be configured, started and stopped. `shares` maps share names to keys that amend SHARE."""

    kind = ""

    def start(self, shares, users=None, **global_keys):
        """Writes the configuration, adds the users, starts; returns when the port is open."""
        raise NotImplementedError

    def stop(self):
        """An orderly end; fails when something stays behind."""
        raise NotImplementedError

    def reset(self):
        """Whatever the state: afterwards nothing of the server is left."""
        raise NotImplementedError

    def diagnosis(self):
        """What to add to a failed test's message."""
        return ""


class Ksmbd(Server):
    """The kernel's server, of either origin, with user space of either origin."""

    def __init__(self, kind, module, tools):
        self.kind, self.module, self.tools = kind, module, tools
        self.daemon_log = "/tmp/mountd.log"

    def tool(self, name):
        """The path of the program ksmbd.`name`."""
        return f"{OUR_TOOLS if self.tools == 'ours' else C_TOOLS}/ksmbd.{name}"

    def module_path(self):
        release = platform.release()
        if self.module == "c":
            stock = f"/lib/modules/{release}/kernel/fs/smb/server/ksmbd.ko"
            # Debian packs its modules; the debug kernel's are as they were built.
            return stock if os.path.exists(stock) else f"{stock}.xz"
        return f"/lib/modules/{release}/updates/ksmbd.ko"

    def load(self):
        """Loads the module; ours as a user would, so that depmod's order is proved too."""
        if loaded("ksmbd"):
            return
        path = self.module_path()
        if not os.path.exists(path):
            raise Failure(f"there is no {path} to load")
        if self.module == "ours":
            run("modprobe", "ksmbd", timeout=120)
            if not os.path.exists("/sys/module/ksmbd/version"):
                raise Failure("modprobe ksmbd loaded a module without a version: the C one, not updates/ksmbd.ko")
            return
        depends = run("modinfo", "-F", "depends", path).output.strip()
        for name in filter(None, depends.split(",")):
            run("modprobe", name)
        run("insmod", path, timeout=120)

    def unload(self, timeout=60):
        """modprobe -r; waits while the last references go."""
        if not loaded("ksmbd"):
            return
        module.remember()
        end = time.monotonic() + patient(timeout)
        while True:
            result = run("rmmod", "ksmbd", ok=False, timeout=timeout)
            if result.status == 0:
                return
            if time.monotonic() > end:
                raise Failure(f"rmmod ksmbd did not succeed within {timeout} s: {tail(result.output)}")
            time.sleep(0.2)

    def configure(self, shares, users, **global_keys):
        """Configuration and user database, through the tools under test."""
        os.makedirs(CONF_DIR, exist_ok=True)
        for name in os.listdir(CONF_DIR):
            os.unlink(f"{CONF_DIR}/{name}")
        keys = {**GLOBALS, **{key.replace("_", " "): value for key, value in global_keys.items()}}
        keys = {key: value for key, value in keys.items() if value is not None}
        sections = {name: {**SHARE, **amend} for name, amend in shares.items()}
        machine.write(f"{CONF_DIR}/ksmbd.conf", conf_text(keys, sections))
        for user, password in users.items():
            run(self.tool("adduser"), "-a", "-p", password, user)

    def start_daemon(self):
        """Starts ksmbd.mountd in the foreground mode, its log in a file."""
        with open(self.daemon_log, "ab") as log:
            self.daemon = subprocess.Popen(
                [self.tool("mountd"), "-n"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def start(self, shares, users=None, **global_keys):
        self.load()
        users = {machine.USER: machine.PASSWORD, machine.OTHER: machine.OTHER_PASSWORD} if users is None else users
        self.configure(shares, users, **global_keys)
        self.start_daemon()
        wait_for(f"ksmbd to listen on port {PORT} (daemon log: {self.log_tail()})", self._up, timeout=60)

    def _up(self):
        if self.daemon.poll() is not None:
            raise Failure(f"ksmbd.mountd ended with status {self.daemon.returncode}: {self.log_tail()}")
        return port_open()

    def state(self):
        """The state in sysfs, e.g. `running`; None while the module is not loaded."""
        try:
            with open(f"{CONTROL}/stats", encoding="utf-8") as file:
                return file.read().split()[1]
        except (FileNotFoundError, NotADirectoryError):
            return None

    def control_stop(self):
        """ksmbd.control -s, and the wait until the port is closed and the daemon is gone."""
        run(self.tool("control"), "-s", timeout=120)
        wait_for("the SMB port to be closed after ksmbd.control -s", lambda: not port_open(), timeout=60)
        wait_for("ksmbd.mountd to end after ksmbd.control -s", self.daemon_gone, timeout=60)

    def daemon_gone(self):
        """Whether no process of the daemon is left."""
        if getattr(self, "daemon", None):
            self.daemon.poll()
        return not daemons()

    def kill_daemon(self):
        """kill -9 of manager and workers, until none is left: a manager that sees its worker killed, or is about to start one, leaves
        another. Returns whether there were any."""
        killed = _kill_daemons()
        wait_for("the killed daemons to be gone", lambda: _kill_daemons() == 0)
        if getattr(self, "daemon", None):
            self.daemon.wait(timeout=patient(30))
        return killed > 0

    def stop(self):
        self.control_stop()
        self.unload()

    def reset(self):
        self.kill_daemon()
        if loaded("ksmbd"):
            try:
                machine.write(f"{CONTROL}/kill_server", "hard")
            except OSError:
                pass
            self.unload()
        for path in ("/run/ksmbd.lock", self.daemon_log):
            if os.path.exists(path):
                os.unlink(path)

    def log_tail(self):
        try:
            with open(self.daemon_log, encoding="utf-8", errors="replace") as file:
                return tail(file.read(), 6)
        except FileNotFoundError:
            return ""

    def diagnosis(self):
        text = self.log_tail()
        return f"\nksmbd.mountd says:\n{text}" if text else ""


class Samba(Server):
    """Samba's smbd with equivalent settings, for comparison."""

    kind = "samba"

    def start(self, shares, users=None, **global_keys):
        users = {machine.USER: machine.PASSWORD, machine.OTHER: machine.OTHER_PASSWORD} if users is None else users
        base = {
            "netbios name": "KSMBD", "workgroup": "WORKGROUP", "map to guest": "never", "interfaces": "lo", "bind interfaces only": "yes",
            "server min protocol": "SMB2_10", "disable netbios": "yes", "smb ports": str(PORT), "load printers": "no",
            "kernel oplocks": "no", "kernel share modes": "no", "posix locking": "no", "log file": "/tmp/smbd.log", "log level": "1",
        }
        sections = {name: {**SHARE, **amend} for name, amend in shares.items()}
        machine.write("/etc/samba/smb.conf", conf_text(base, sections))
        for user, password in users.items():
            run("smbpasswd", "-s", "-a", user, input=f"{password}\n{password}\n")
        self.daemon = subprocess.Popen(["smbd", "--foreground", "--no-process-group"], stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for("smbd to listen", port_open, timeout=60)

    def stop(self):
        self.reset()

    def reset(self):
        if getattr(self, "daemon", None):
            try:
                os.killpg(self.daemon.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
            self.daemon.wait(timeout=60)
            self.daemon = None
            run("pkill", "-KILL", "-x", "smbd", ok=False)
            wait_for("smbd's port to close", lambda: not port_open())
            shutil.rmtree("/var/lib/samba/private/msg.sock", ignore_errors=True)


def make(kind):
    """ours, c, ours-module (with the C tools), ours-tools (with the C module), samba."""
    return {
        "ours": lambda: Ksmbd("ours", "ours", "ours"),
        "c": lambda: Ksmbd("c", "c", "c"),
        "ours-module": lambda: Ksmbd("ours-module", "ours", "c"),
        "ours-tools": lambda: Ksmbd("ours-tools", "c", "ours"),
        "samba": Samba,
    }[kind]()
