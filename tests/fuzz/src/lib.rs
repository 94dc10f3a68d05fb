// SPDX-License-Identifier: GPL-2.0

//! What is fuzzed: every parser that a client's or the kernel's bytes reach, one function for each target, and the seeds that
//! each begins with.
//!
//! `make fuzz` builds them with coverage instrumentation, which stable compilers have (`-Cpasses=sancov-module`), against
//! libFuzzer, and runs them; `make test` runs each over its seeds, the inputs that once failed (`regressions/`), and some
//! thousand inputs made of them from a fixed seed. There is no address sanitizer: none of what is fuzzed has unsafe code; what
//! is looked for are panics (arithmetic and indices are checked), endless loops, too much memory (the limits of both are the
//! harness's), and messages that do not parse to the same again after they were parsed and written.
//!
//! Left out are the tokens of Kerberos, which the daemon hands to MIT Kerberos as they come, and the daemon's keytab, which the
//! same library reads; and what looks up a single number, such as `from_wire`: there is no length in it to be wrong about.

mod calls;
mod compression;
mod daemon;
mod discovery;
mod information;
mod messages;
pub mod seeds;

pub use calls::calls;
pub use compression::{compression, smb_direct};
pub use daemon::{config, netlink, rpc, users};
pub use discovery::discovery;
pub use information::{fsctl, information, ipc, names, security};
pub use messages::{chain, create_contexts, negotiate, ntlmssp, request, spnego};

/// Takes the first byte off: what a target makes a choice by.
fn choice(data: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((usize::from(*first), rest))
}

/// What `write` writes.
///
/// # Panics
///
/// If it does not fit into far more room than any input has.
fn written(
    write: impl FnOnce(&mut smb_proto::wire::Writer<'_>) -> smb_proto::wire::Written,
) -> Vec<u8> {
    let mut buf = vec![0; 1 << 20];
    let mut w = smb_proto::wire::Writer::new(&mut buf);
    write(&mut w).expect("room for what was parsed");
    let len = w.len();
    buf.truncate(len);
    buf
}
