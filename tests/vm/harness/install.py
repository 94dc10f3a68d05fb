# SPDX-License-Identifier: GPL-2.0
"""make install and uninstall, into a folder of their own: what lands where, and whether the readers of it take it."""

import os
import subprocess
import tempfile

import build

PROGRAMS = tuple(f"ksmbd.{name}" for name in build.PROGRAMS)


def expected(prefix):
    """Every file that an installation has."""
    return sorted(
        [f"/lib/modules/{build.release()}/updates/ksmbd.ko", f"{prefix}/lib/systemd/system/ksmbd.service"]
        + [f"{prefix}/share/man/man5/{page}.5" for page in ("ksmbd.conf", "ksmbdpwd.db")]
        + [f"{prefix}/sbin/{name}" for name in PROGRAMS]
        + [f"{prefix}/share/man/man8/{name}.8" for name in PROGRAMS]
        + [f"{prefix}/share/bash-completion/completions/{name}" for name in PROGRAMS]
        + [f"{prefix}/share/zsh/site-functions/_{name}" for name in PROGRAMS]
        + [f"{prefix}/share/fish/vendor_completions.d/{name}.fish" for name in PROGRAMS]
    )


def call(*args, **options):
    result = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **options)
    return result.returncode, result.stdout


def files(folder):
    found = []
    for path, _, names in os.walk(folder):
        found += [f"{path}/{name}"[len(folder) :] for name in names]
    return sorted(found)


def problems():
    """What is wrong with an installation, as sentences."""
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        dest = f"{folder}/with space"
        make = ["make", "-C", build.SRC, f"DESTDIR={dest}", "PREFIX=/usr"]
        status, said = call(*make, "install")
        if status != 0:
            return [f"make install ended with {status}: {said[-800:]}"]
        found = files(dest)
        wrong = [f"missing: {name}" for name in expected("/usr") if name not in found] + [f"unexpected: {name}" for name in found if name not in expected("/usr")]
        wrong += check_completions(dest) + check_unit(dest)
        status, said = call(*make, "uninstall")
        wrong += [f"make uninstall ended with {status}: {said[-400:]}"] if status != 0 else [f"left by make uninstall: {name}" for name in files(dest)]
        return wrong


def check_completions(dest):
    wrong = []
    for name in PROGRAMS:
        status, said = call("bash", "-n", f"{dest}/usr/share/bash-completion/completions/{name}")
        wrong += [f"the completion of {name}: {said}"] if status != 0 else []
        with open(f"{dest}/usr/share/man/man8/{name}.8", encoding="utf-8") as page:
            text = page.read()
        wrong += [f"{name}.8 has no {part}" for part in (".SH NAME", ".SH OPTIONS", '.SH "EXIT STATUS"', '.SH "SEE ALSO"') if part not in text]
    return wrong


def check_unit(dest):
    """By the systemd of the guest root, which finds the programs where the unit says that they are."""
    unit = f"{dest}/usr/lib/systemd/system/ksmbd.service"
    with open(unit, encoding="utf-8") as file:
        text = file.read()
    wrong = [] if "@" not in text.replace("modprobe@", "").replace("@system-service", "").replace("@module", "") else ["the unit has a place that was not filled in"]
    wrong += [] if "ExecStart=/usr/sbin/ksmbd.mountd " in text else ["the unit does not start /usr/sbin/ksmbd.mountd"]
    for target, source in {"/guest/usr/local/sbin": f"{dest}/usr/sbin", "/guest/mnt": os.path.dirname(unit), "/guest/proc": "/proc"}.items():
        call("mount", "--bind", source, target)
    for target in ("/guest/run", "/guest/tmp"):
        call("mount", "-t", "tmpfs", "tmpfs", target)
    try:
        # The paths of the programs as they are in the guest's view.
        with open(unit, "w", encoding="utf-8") as file:
            file.write(text.replace("/usr/sbin/ksmbd", "/usr/local/sbin/ksmbd"))
        status, said = call("chroot", "/guest", "systemd-analyze", "verify", "--man=no", "/mnt/ksmbd.service")
        wrong += [f"systemd-analyze verify: {line}" for line in said.splitlines() if "ksmbd.service" in line or status != 0]
        status, said = call("chroot", "/guest", "systemd-analyze", "security", "--offline=yes", "--threshold=40", "/mnt/ksmbd.service")
        wrong += [] if status == 0 else [f"systemd-analyze security: {said.strip().splitlines()[-1] if said.strip() else status}"]
    finally:
        for target in ("/guest/usr/local/sbin", "/guest/mnt", "/guest/proc", "/guest/run", "/guest/tmp"):
            call("umount", target)
    return wrong
