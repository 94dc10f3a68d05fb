# SPDX-License-Identifier: GPL-2.0
"""Fuzzing of every parser (tests/fuzz), with libFuzzer and any stable compiler: a short run in `make test`, a long one in `make fuzz`."""

import fnmatch
import os
import re
import shutil
import subprocess
import time

import build
from report import Stop, say

FOLDER = f"{build.SRC}/tests/fuzz"
COPY = f"{build.BUILD}/fuzz-sources"
TRIPLE = "x86_64-unknown-linux-gnu"
# What cargo-fuzz passes, without the sanitizers, which need an unstable compiler: there is no unsafe code in what is fuzzed.
FLAGS = " ".join([
    "-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-level=4", "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table", "-Cllvm-args=-sanitizer-coverage-trace-compares", "--cfg", "fuzzing",
])
# Inputs of a short run, from a fixed seed: its verdict depends on the sources alone.
SHORT_RUNS = 20000
# What one input may take. All take milliseconds, and there are 4 KiB of them: this is generous on any machine.
SECONDS = 20
# Memory of a process. libFuzzer looks at what is resident once a second, so what a single allocation asks for is held by the system.
MEMORY_MIB = 256
LIMITS = ["-max_len=4096", f"-timeout={SECONDS}", f"-rss_limit_mb={MEMORY_MIB}", "-print_final_stats=0", "-verbosity=0"]
# With several processes, the first finding of every kind ends the run; libFuzzer goes on after some of them unless it is told.
FORKED = ["-ignore_crashes=0", "-ignore_timeouts=0", "-ignore_ooms=0"]


def targets():
    """Names of the targets, as the manifest has them."""
    with open(f"{FOLDER}/Cargo.toml", encoding="utf-8") as file:
        return re.findall(r'^path = "targets/(\w+)\.rs"$', file.read(), re.MULTILINE)


def copy_sources():
    """A copy of what is fuzzed to build in. Its lock file pins what it knows; what the workspace's crates have come to need since is
    added to it, which the sources, read-only here, would not let cargo do."""
    build.call(
        "copying the sources", "rsync", "-a", "--no-times", "--checksum", "--delete", "--prune-empty-dirs", "--filter=P /tests/fuzz/Cargo.lock",
        "--exclude=target/", "--include=/Cargo.toml", "--include=/src/", "--include=/src/proto/***", "--include=/src/model/***", "--exclude=/src/*",
        "--include=/mountd/***", "--include=/tools/***", "--include=/tests/", "--include=/tests/client/***", "--include=/tests/hostile/***",
        "--include=/tests/load/***", "--include=/tests/fuzz/***", "--exclude=*", f"{build.SRC}/", f"{COPY}/",
    )


def compile_all():
    say("building the fuzz targets")
    with build.alone():
        copy_sources()
        build.call(
            "building the fuzz targets (is the crates registry reachable?)", "cargo", "build", "--release", "--bins", "--target", TRIPLE,
            cwd=f"{COPY}/tests/fuzz", env={**os.environ, "CARGO_TARGET_DIR": f"{build.BUILD}/fuzz", "RUSTFLAGS": FLAGS},
        )


def limited(*command):
    """A command with the memory that it may ask for."""
    return ["prlimit", f"--data={MEMORY_MIB << 20}", "--", *command]


def program(name):
    return f"{build.BUILD}/fuzz/{TRIPLE}/release/{name}"


def corpus(target):
    """The folder of what was found worth keeping, with the seeds in it; it lasts from run to run."""
    folder = f"{build.BUILD}/fuzz-corpus/{target}"
    seeds(target, folder)
    return folder


def seeds(target, folder):
    """Writes the seeds of a target into a folder."""
    build.call(f"making the seeds of {target}", program(target), quiet=True, env={**os.environ, "FUZZ_SEEDS": folder})


def regressions(target):
    """Inputs that once failed."""
    folder = f"{FOLDER}/regressions/{target}"
    return [f"{folder}/{name}" for name in sorted(os.listdir(folder))] if os.path.isdir(folder) else []


def fuzz(target, folder, *limits):
    """(whether nothing was found, what the target said). What was found stays in build/fuzz-found/."""
    found = f"{build.BUILD}/fuzz-found"
    os.makedirs(found, exist_ok=True)
    old = regressions(target)
    if old:
        result = subprocess.run(limited(program(target), *LIMITS, *old), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        if result.returncode != 0:
            return False, result.stdout
    result = subprocess.run(
        limited(program(target), *LIMITS, *limits, f"-artifact_prefix={found}/{target}-", folder),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )
    return result.returncode == 0, result.stdout


def run(report):
    """The short run: each target is a test, fuzz.<target>."""
    try:
        compile_all()
    except Stop as reason:
        report.verdict("fuzz.build", "fail", why=str(reason))
        return
    for target in targets():
        start = time.monotonic()
        # Not the lasting corpus: the inputs must be the same in each run.
        folder = f"{build.BUILD}/fuzz-short/{target}"
        shutil.rmtree(folder, ignore_errors=True)
        seeds(target, folder)
        good, said = fuzz(target, folder, f"-runs={SHORT_RUNS}", "-seed=1")
        report.verdict(f"fuzz.{target}", "pass" if good else "fail", time.monotonic() - start, "" if good else "\n".join(said.splitlines()[-25:]))


def run_long(report, pattern, minutes):
    """make fuzz: `minutes` for all chosen targets together, on all processors."""
    compile_all()
    chosen = [target for target in targets() if fnmatch.fnmatchcase(target, pattern or "*")]
    if not chosen:
        raise Stop(f"there is no fuzz target '{pattern}'; there are {', '.join(targets())}.")
    seconds = max(10, minutes * 60 // len(chosen))
    for target in chosen:
        say(f"fuzzing {target} for {seconds} s")
        start = time.monotonic()
        good, said = fuzz(target, corpus(target), f"-max_total_time={seconds}", f"-fork={build.jobs()}", *FORKED)
        report.verdict(f"fuzz.{target}", "pass" if good else "fail", time.monotonic() - start, "" if good else "\n".join(said.splitlines()[-40:]))
