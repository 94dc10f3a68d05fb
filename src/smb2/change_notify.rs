// SPDX-License-Identifier: GPL-2.0

//! CHANGE_NOTIFY, [MS-SMB2] 3.3.5.19.

use kernel::prelude::*;
use kernel::sync::Arc;

use smb_model::access::Mask;
use smb_proto::change_notify::{NotifyFlags, Reply as Answer, Request};
use smb_proto::status::NtStatus;

use crate::files::notify::{Seen, WatchRequest};
use crate::files::{Open, Tree};
use crate::session::Session;

use super::context::{Context, Handled, Stop};
use super::reply::Reply;
use super::wait::{Resume, Wake, Waker};

/// Bytes of the reply's body before its data.
const HEAD_LEN: usize = 8;

/// Tells what has changed in a directory, or waits until something does.
pub(super) fn serve(
    cx: &mut Context<'_>,
    session: &Arc<Session>,
    tree: &Arc<Tree>,
    reply: &mut Reply,
) -> Handled {
    let request = Request::parse(cx.pdu)?;
    if request.output_buffer_length > cx.negotiated()?.max_transact {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    cx.check_charge(0, request.output_buffer_length)?;
    let open = cx.open(session, tree, request.file_id)?;
    let file = open.file()?;
    if !file.is_directory() {
        return Err(NtStatus::INVALID_PARAMETER.into());
    }
    open.require_any(Mask::READ_DATA)?;
    debug!(
        cx.server(),
        Smb, "{}: changes by local programs are not seen yet\n", cx.conn.peer
    );
    let wanted = WatchRequest {
        owner: open.id.volatile,
        filter: request.filter,
        tree: request.flags.contains(NotifyFlags::WATCH_TREE),
        room: usize::try_from(request.output_buffer_length).unwrap_or(usize::MAX),
    };
    let waiting = Waiting {
        open: open.clone(),
        wanted,
    };
    waiting.look(cx, reply)
}

/// A CHANGE_NOTIFY that may have to wait.
struct Waiting {
    open: Arc<Open>,
    wanted: WatchRequest,
}

impl Waiting {
    /// What has changed that the user may see.
    fn seen(&self, cx: &Context<'_>, waker: Option<&Waker>) -> Result<Seen, NtStatus> {
        let file = self.open.file()?;
        let state = &file.admission.state;
        loop {
            let mut seen = state.watch(&cx.server().files, &self.wanted, waker)?;
            if let Seen::Changes(changes) = &mut seen {
                let tree = &self.open.tree;
                changes.keep_shown(&tree.enter(), &tree.share, &file.path);
                if changes.is_empty() {
                    continue;
                }
            }
            return Ok(seen);
        }
    }

    /// Answers with what has changed, or waits.
    fn look(self, cx: &Context<'_>, reply: &mut Reply) -> Handled {
        let files = &cx.server().files;
        let state = &self.open.file()?.admission.state;
        let mut seen = self.seen(cx, None)?;
        if let Seen::Nothing = seen {
            if !cx.is_last {
                // What follows in the compound would wait as well.
                return Err(NtStatus::INTERNAL_ERROR.into());
            }
            let waker = cx.waker()?;
            seen = self.seen(cx, Some(&waker))?;
            if self.open.is_closed() {
                state.close_watch(files, self.wanted.owner);
                return Err(NtStatus::NOTIFY_CLEANUP.into());
            }
            if let Seen::Nothing = seen {
                return Err(Stop::Wait(waker, KBox::new(self, GFP_KERNEL)?));
            }
        }
        match seen {
            Seen::Changes(changes) => {
                reply.body(changes.len().saturating_add(HEAD_LEN), |w| {
                    let buffer = Answer::begin(w)?;
                    changes.write(w)?;
                    buffer.finish(w).map(drop)
                })?;
                Ok(NtStatus::SUCCESS)
            }
            Seen::TooMuch | Seen::Nothing => {
                reply.body(HEAD_LEN + 1, |w| Answer { data: &[] }.write(w))?;
                Ok(NtStatus::NOTIFY_ENUM_DIR)
            }
        }
    }
}

impl Resume for Waiting {
    fn resume(&mut self, wake: Wake, cx: &mut Context<'_>, reply: &mut Reply) -> Handled {
        match wake {
            Wake::Ready => {
                let again = Waiting {
                    open: self.open.clone(),
                    wanted: self.wanted,
                };
                again.look(cx, reply)
            }
            Wake::Ended(status) => Err(status.into()),
        }
    }
}
