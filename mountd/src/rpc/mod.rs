// SPDX-License-Identifier: GPL-2.0

//! DCE/RPC over the named pipes of IPC$.

mod association;
mod budget;
mod descriptor;
mod dssetup;
pub mod handles;
mod lsa_lookup;
mod lsa_rights;
mod lsarpc;
pub mod ndr;
mod page;
pub mod pdu;
mod samr;
mod samr_display;
mod samr_domain;
mod samr_groups;
mod samr_user;
mod sessions;
pub mod sid;
mod srvsvc;
#[cfg(test)]
mod testing;
mod wkssvc;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ksmbd_tools::config::IPC;
use ksmbd_tools::status::OpenFile;
use smb_proto::ipc::{rpc_flag, rpc_status, RpcCommand};

use crate::dispatch::Server;
use association::Association;
use budget::Budget;
use handles::Handles;
use ndr::{Decoder, Encoder};
use pdu::SyntaxId;

/// Most pipes that may be open at a time.
const MOST_PIPES: usize = 16384;

/// Why an operation gives no result: the status of the fault PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault(pub u32);

impl From<ndr::BadStub> for Fault {
    fn from(_: ndr::BadStub) -> Self {
        Fault(pdu::fault::BAD_STUB)
    }
}

/// On whose behalf a pipe works.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// The server.
    pub server: &'a Server,
    /// The caller is a guest.
    pub is_restricted: bool,
}

/// What an operation knows of its caller, the server and the pipe.
pub struct Call<'a> {
    /// The server.
    pub server: &'a Server,
    /// The caller is a guest.
    pub is_restricted: bool,
    /// What the caller opened on the pipe.
    handles: &'a Handles,
    /// The pipe's number.
    pipe: u32,
}

impl Call<'_> {
    /// Whether the caller may know about shares and accounts at all.
    fn may_look(&self) -> bool {
        !self.is_restricted
            || self
                .server
                .state
                .settings()
                .config
                .global
                .restrict_anonymous
                == 0
    }

    /// Who the caller is, where the module says whose pipe it is.
    fn user(&self) -> Option<String> {
        let files = self.server.status.open_files().ok()?;
        let is_ours = |file: &OpenFile| file.rpc_handle == Some(self.pipe);
        files
            .into_iter()
            .find(is_ours)
            .map(|file| file.user)
            .filter(|user| !user.is_empty())
    }

    /// Whether the caller may know what others do. Where the module does not say whose pipe it is, nobody may.
    fn is_administrator(&self) -> bool {
        !self.is_restricted && self.user().is_some_and(|user| self.administers(&user))
    }

    /// Whether a user administers the server: root, or one of the `admin users` of IPC$.
    fn administers(&self, user: &str) -> bool {
        let state = &self.server.state;
        let settings = state.settings();
        let is_listed = settings.config.share(IPC).is_some_and(|share| {
            let mut admins = share.admin_users.iter();
            admins.any(|entry| entry.matches(user, state.accounts()))
        });
        is_listed || state.accounts().user(user).is_some_and(|ids| ids.uid == 0)
    }
}

/// An interface that a pipe offers.
pub trait Interface: Sync {
    /// Its UUID and version.
    fn id(&self) -> SyntaxId;

    /// Does operation `number`: reads its parameters from `input` and writes its results to `output`.
    ///
    /// # Errors
    ///
    /// [`Fault`] if there is no such operation or its parameters cannot be read.
    fn call(
        &self,
        call: &Call<'_>,
        number: u16,
        input: &mut Decoder<'_>,
        output: &mut Encoder,
    ) -> Result<(), Fault>;
}

/// A pipe: its name and its interfaces.
#[derive(Clone, Copy)]
pub struct Endpoint {
    name: &'static str,
    interfaces: &'static [&'static dyn Interface],
}

const SRVSVC: Endpoint = Endpoint {
    name: "\\PIPE\\srvsvc",
    interfaces: &[&srvsvc::Srvsvc],
};
const WKSSVC: Endpoint = Endpoint {
    name: "\\PIPE\\wkssvc",
    interfaces: &[&wkssvc::Wkssvc],
};

const LSARPC: Endpoint = Endpoint {
    name: "\\PIPE\\lsarpc",
    interfaces: &[&lsarpc::Lsarpc, &dssetup::DsSetup],
};
const SAMR: Endpoint = Endpoint {
    name: "\\PIPE\\samr",
    interfaces: &[&samr::Samr],
};

/// The pipe that a request's flags name.
fn endpoint(flags: u32) -> Option<Endpoint> {
    if flags & rpc_flag::SRVSVC != 0 {
        Some(SRVSVC)
    } else if flags & rpc_flag::WKSSVC != 0 {
        Some(WKSSVC)
    } else if flags & rpc_flag::LSARPC != 0 {
        Some(LSARPC)
    } else if flags & rpc_flag::SAMR != 0 {
        Some(SAMR)
    } else {
        None
    }
}

/// The open pipes.
#[derive(Default)]
pub struct Pipes {
    open: Mutex<HashMap<u32, Arc<Mutex<Association>>>>,
    budget: Budget,
}

impl std::fmt::Debug for Pipes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipes").finish_non_exhaustive()
    }
}

impl Pipes {
    /// Does what the module asks of a pipe; gives the status and the data.
    pub fn command(&self, server: &Server, request: &RpcCommand<'_>) -> (u32, Vec<u8>) {
        let flags = request.flags;
        // The order matters: the bits of some methods contain those of others.
        if flags & rpc_flag::RAP != 0 {
            log::debug!("a LANMAN request was refused");
            (rpc_status::NOT_IMPLEMENTED, Vec::new())
        } else if flags & rpc_flag::OPEN != 0 {
            (self.open(request.handle, flags), Vec::new())
        } else if flags & rpc_flag::CLOSE != 0 {
            (self.close(request.handle), Vec::new())
        } else {
            self.transfer(server, request)
        }
    }

    fn open(&self, handle: u32, flags: u32) -> u32 {
        let Some(endpoint) = endpoint(flags) else {
            return rpc_status::NOT_IMPLEMENTED;
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MOST_PIPES {
            log::warn!("{MOST_PIPES} pipes are open: another was refused");
            return rpc_status::NO_MEMORY;
        }
        // The module takes a number anew only once it closed the pipe: one that is still here was lost on the way.
        open.insert(
            handle,
            Arc::new(Mutex::new(Association::new(
                endpoint,
                handle,
                self.budget.share(),
            ))),
        );
        rpc_status::OK
    }

    fn close(&self, handle: u32) -> u32 {
        match self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&handle)
        {
            Some(_) => rpc_status::OK,
            None => rpc_status::BAD_FID,
        }
    }

    fn transfer(&self, server: &Server, request: &RpcCommand<'_>) -> (u32, Vec<u8>) {
        let flags = request.flags;
        let pipe = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&request.handle)
            .cloned();
        let Some(pipe) = pipe else {
            return (rpc_status::BAD_FID, Vec::new());
        };
        // A pipe whose answer panicked may be in any state: it is closed.
        let Ok(mut pipe) = pipe.lock() else {
            self.close(request.handle);
            return (rpc_status::BAD_FID, Vec::new());
        };
        let call = Caller {
            server,
            is_restricted: flags & rpc_flag::RESTRICTED_CONTEXT != 0,
        };
        if flags & (rpc_flag::IOCTL | rpc_flag::WRITE) != 0 {
            if let Err(pdu::Broken) = pipe.write(&call, request.payload) {
                log::debug!("pipe {}: the client broke the protocol", request.handle);
                return (rpc_status::BAD_DATA, Vec::new());
            }
        }
        if flags & rpc_flag::IOCTL != 0 || flags & rpc_flag::READ != 0 {
            return (rpc_status::OK, pipe.read());
        }
        if flags & rpc_flag::WRITE != 0 {
            return (rpc_status::OK, Vec::new());
        }
        (rpc_status::NOT_IMPLEMENTED, Vec::new())
    }
}
