// SPDX-License-Identifier: GPL-2.0

//! `ksmbd.mountd`(8).

use std::process::ExitCode;

use ksmbd_mountd::state::Sources;
use ksmbd_mountd::{manager, worker};
use ksmbd_tools::cli::{self, Mountd};
use ksmbd_tools::logger::{self, Target};

fn main() -> ExitCode {
    let arguments: Mountd = match cli::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(exit) => return cli::report(&exit),
    };
    let target = if arguments.syslog {
        Target::Syslog
    } else {
        Target::Stderr
    };
    let program = if arguments.worker.is_some() {
        "ksmbd.mountd(worker)"
    } else {
        "ksmbd.mountd"
    };
    logger::start(program, target, arguments.common.verbose);
    let outcome = if let Some(manager) = arguments.worker {
        worker::run(&Sources::of(&arguments), manager)
    } else if matches!(arguments.nodetach, None | Some(0)) {
        manager::detach(&arguments)
    } else {
        manager::run(&arguments)
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
