// SPDX-License-Identifier: GPL-2.0

//! Opens that outlive their connection, and requests that are sent again.
//!
//! [MS-SMB2] 3.3.5.9.6 and 3.3.5.9.7 (durable, version 1), 3.3.5.9.10 and 3.3.5.9.12 (version 2 and persistent),
//! 3.3.5.2.10 (channel sequence).

use crate::lease::State;
use crate::oplock::Level;
use smb_proto::status::NtStatus;

/// Which of the create contexts about durability a request has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contexts {
    /// `DHnQ`.
    pub request_v1: bool,
    /// `DHnC`.
    pub reconnect_v1: bool,
    /// `DH2Q`.
    pub request_v2: bool,
    /// `DH2C`.
    pub reconnect_v2: bool,
}

/// What those contexts amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// An open that ends with its connection.
    Nothing,
    /// A durable open.
    V1,
    /// A durable or persistent open that can be replayed.
    V2,
    /// An open that was left.
    ReconnectV1,
    /// An open that was left, known by its create GUID too.
    ReconnectV2,
}

impl Contexts {
    /// What to do.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` if a context of version 2 stands beside any other.
    pub fn wanted(self) -> Result<Wanted, NtStatus> {
        let v1 = self.request_v1 || self.reconnect_v1;
        match (self.request_v2, self.reconnect_v2) {
            (true, true) => Err(NtStatus::INVALID_PARAMETER),
            (true, false) | (false, true) if v1 => Err(NtStatus::INVALID_PARAMETER),
            (true, false) => Ok(Wanted::V2),
            (false, true) => Ok(Wanted::ReconnectV2),
            (false, false) if self.reconnect_v1 => Ok(Wanted::ReconnectV1),
            (false, false) if self.request_v1 => Ok(Wanted::V1),
            (false, false) => Ok(Wanted::Nothing),
        }
    }
}

/// How long an open lives without its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Not at all.
    None,
    /// Until the time-out, or until someone needs what it holds.
    Durable,
    /// Until the time-out, over a restart of the server.
    Persistent,
}

/// What a new open was granted, as far as durability depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Basis {
    /// The open's oplock.
    pub oplock: Level,
    /// The state of its lease; none without a lease.
    pub lease: State,
    /// A file, as against a directory or a pipe.
    pub is_file: bool,
    /// The share is continuously available, and the connection has SMB2_GLOBAL_CAP_PERSISTENT_HANDLES.
    pub persistent_allowed: bool,
}

/// What to grant. `persistent` is SMB2_DHANDLE_FLAG_PERSISTENT of a version 2 request. An open that nobody would ask before
/// taking its file away (no batch oplock, no handle caching) cannot be durable.
pub fn grant(wanted: Wanted, persistent: bool, basis: Basis) -> Durability {
    let guarded = basis.oplock == Level::Batch || basis.lease.handles();
    match wanted {
        Wanted::V2 if persistent && basis.persistent_allowed => Durability::Persistent,
        Wanted::V1 | Wanted::V2 if guarded && basis.is_file => Durability::Durable,
        _ => Durability::None,
    }
}

/// The time in milliseconds for which an open is kept: what the client asks for, or `default` if it leaves it to the
/// server; at most `max`.
pub fn timeout(requested: u32, default: u32, max: u32) -> u32 {
    let wanted = if requested == 0 { default } else { requested };
    wanted.min(max)
}

/// An open that was left, as it was found by its persistent file id.
#[derive(Clone, Copy, Debug)]
pub struct Left<'a> {
    /// Nobody holds it: its connection is gone.
    pub is_disconnected: bool,
    /// What it was granted.
    pub durability: Durability,
    /// It was asked for by a context of version 2.
    pub is_v2: bool,
    /// Its create GUID.
    pub create_guid: [u8; 16],
    /// The client that made it.
    pub client_guid: [u8; 16],
    /// The key of its lease.
    pub lease_key: Option<[u8; 16]>,
    /// The path below the share that it was opened by.
    pub path: &'a str,
}

/// What a reconnect says.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Whether it is `DH2C`, with the GUID and SMB2_DHANDLE_FLAG_PERSISTENT.
    pub v2: Option<([u8; 16], bool)>,
    /// The connection's client.
    pub client_guid: [u8; 16],
    /// Whether the session's user is the one who made the open.
    pub same_user: bool,
    /// The key of the lease context that comes along.
    pub lease_key: Option<[u8; 16]>,
    /// The request's name.
    pub path: &'a str,
}

/// Whether a client gets its open back, [MS-SMB2] 3.3.5.9.7 and 3.3.5.9.12.
///
/// # Errors
///
/// `STATUS_ACCESS_DENIED` for another user, `STATUS_INVALID_PARAMETER` for another name of a leased file,
/// `STATUS_OBJECT_NAME_NOT_FOUND` for everything else that does not fit.
pub fn check_reconnect(left: &Left<'_>, claim: &Claim<'_>) -> Result<(), NtStatus> {
    let kind_fits = match claim.v2 {
        None => !left.is_v2 && left.durability == Durability::Durable,
        Some((create_guid, persistent)) => {
            left.is_v2
                && left.create_guid == create_guid
                && left.durability != Durability::None
                && persistent == (left.durability == Durability::Persistent)
        }
    };
    if !left.is_disconnected || !kind_fits {
        return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
    }
    if !claim.same_user {
        return Err(NtStatus::ACCESS_DENIED);
    }
    if left.lease_key != claim.lease_key {
        return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
    }
    if left.lease_key.is_some() {
        if left.client_guid != claim.client_guid {
            return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
        }
        if !crate::wildcard::same_name(left.path, claim.path) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
    }
    Ok(())
}

/// The open that has the create GUID of a `DH2Q`, from the same client.
#[derive(Clone, Copy, Debug)]
pub struct Twin {
    /// The create that makes it is still under way.
    pub is_pending: bool,
    /// It was used for nothing yet, so that the first reply may have been lost.
    pub is_replay_eligible: bool,
    /// It belongs to the session of the request.
    pub same_session: bool,
    /// The key of its lease.
    pub lease_key: Option<[u8; 16]>,
    /// Its durability.
    pub durability: Durability,
}

/// What to do with a CREATE whose create GUID is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// Go on as if the GUID were new.
    Create,
    /// Answer with the open that there is.
    Answer,
}

/// Judges a CREATE with a `DH2Q` whose GUID is known, [MS-SMB2] 3.3.5.9.10. `replay` is SMB2_FLAGS_REPLAY_OPERATION,
/// `lease_key` that of its lease context.
///
/// # Errors
///
/// `STATUS_FILE_NOT_AVAILABLE` while the first one runs, `STATUS_DUPLICATE_OBJECTID` if it is no replay or comes from another
/// session, `STATUS_ACCESS_DENIED` if it asks for another lease.
pub fn check_replay(
    twin: &Twin,
    replay: bool,
    lease_key: Option<[u8; 16]>,
) -> Result<Replay, NtStatus> {
    if !replay {
        return Err(NtStatus::DUPLICATE_OBJECTID);
    }
    if twin.is_pending {
        return Err(NtStatus::FILE_NOT_AVAILABLE);
    }
    if !twin.same_session {
        return Err(NtStatus::DUPLICATE_OBJECTID);
    }
    if !twin.is_replay_eligible {
        return Ok(Replay::Create);
    }
    if twin.lease_key != lease_key {
        return Err(NtStatus::ACCESS_DENIED);
    }
    Ok(Replay::Answer)
}

/// Which generation of channels the requests of an open belong to, [MS-SMB2] 3.3.5.2.10. A client that loses a channel counts
/// its sequence up, and sends again on another what it got no answer to; what still runs from before must not
/// overtake that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Channel {
    sequence: u16,
    current: u32,
    earlier: u32,
}

/// Where a running request is counted; to be given back when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running(Option<u16>);

impl Channel {
    /// The state of an open that a request of `sequence` made.
    pub const fn new(sequence: u16) -> Self {
        Channel {
            sequence,
            current: 0,
            earlier: 0,
        }
    }

    /// Counts a request in. `modifies` is for WRITE, SET_INFO and IOCTL; `replay` is SMB2_FLAGS_REPLAY_OPERATION.
    ///
    /// # Errors
    ///
    /// `STATUS_FILE_NOT_AVAILABLE` for a modification from an earlier generation, or for the replay of one while requests of
    /// an earlier generation run.
    pub fn begin(
        &mut self,
        sequence: u16,
        modifies: bool,
        replay: bool,
    ) -> Result<Running, NtStatus> {
        let ahead = sequence.wrapping_sub(self.sequence);
        if ahead > 0x7FFF {
            return if modifies {
                Err(NtStatus::FILE_NOT_AVAILABLE)
            } else {
                Ok(Running(None))
            };
        }
        if ahead > 0 {
            self.earlier = self.earlier.saturating_add(self.current);
            self.current = 0;
            self.sequence = sequence;
        }
        if modifies && replay && self.earlier > 0 {
            return Err(NtStatus::FILE_NOT_AVAILABLE);
        }
        self.current = self.current.saturating_add(1);
        Ok(Running(Some(sequence)))
    }

    /// Counts a request out that [`begin`](Self::begin) counted in.
    pub fn end(&mut self, running: Running) {
        match running.0 {
            Some(sequence) if sequence == self.sequence => {
                self.current = self.current.saturating_sub(1)
            }
            Some(_) => self.earlier = self.earlier.saturating_sub(1),
            None => {}
        }
    }
}

/// Whether an open with an `AppInstanceId` closes another one of the same id, [MS-SMB2] 3.3.5.9.13: not its own client's,
/// and with `AppInstanceVersion` on both only an older one (3.3.5.9.16).
///
/// # Errors
///
/// `STATUS_FILE_FORCED_CLOSED` for the new open if the old one has the same or a newer version.
pub fn app_instance_closes(
    same_client: bool,
    same_share_and_path: bool,
    old_version: Option<(u64, u64)>,
    new_version: Option<(u64, u64)>,
) -> Result<bool, NtStatus> {
    if same_client || !same_share_and_path {
        return Ok(false);
    }
    match (old_version, new_version) {
        (Some(old), Some(new)) if new <= old => Err(FILE_FORCED_CLOSED),
        _ => Ok(true),
    }
}

/// `STATUS_FILE_FORCED_CLOSED`, [MS-ERREF] 2.3.
pub const FILE_FORCED_CLOSED: NtStatus = NtStatus(0xC000_00B6);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts() {
        let none = Contexts::default();
        assert_eq!(none.wanted(), Ok(Wanted::Nothing));
        assert_eq!(
            Contexts {
                request_v1: true,
                ..none
            }
            .wanted(),
            Ok(Wanted::V1)
        );
        let both = Contexts {
            request_v1: true,
            reconnect_v1: true,
            ..none
        };
        assert_eq!(both.wanted(), Ok(Wanted::ReconnectV1));
        assert_eq!(
            Contexts {
                request_v2: true,
                ..none
            }
            .wanted(),
            Ok(Wanted::V2)
        );
        assert_eq!(
            Contexts {
                reconnect_v2: true,
                ..none
            }
            .wanted(),
            Ok(Wanted::ReconnectV2)
        );
        for mixed in [
            Contexts {
                request_v2: true,
                ..both
            },
            Contexts {
                reconnect_v2: true,
                request_v1: true,
                ..none
            },
            Contexts {
                reconnect_v2: true,
                request_v2: true,
                ..none
            },
        ] {
            assert_eq!(mixed.wanted(), Err(NtStatus::INVALID_PARAMETER));
        }
    }

    #[test]
    fn granting() {
        let bare = Basis {
            oplock: Level::None,
            lease: State::NONE,
            is_file: true,
            persistent_allowed: false,
        };
        assert_eq!(grant(Wanted::V1, false, bare), Durability::None);
        assert_eq!(
            grant(
                Wanted::V1,
                false,
                Basis {
                    oplock: Level::Exclusive,
                    ..bare
                }
            ),
            Durability::None
        );
        assert_eq!(
            grant(
                Wanted::V1,
                false,
                Basis {
                    lease: State::RW,
                    ..bare
                }
            ),
            Durability::None
        );
        let batch = Basis {
            oplock: Level::Batch,
            ..bare
        };
        assert_eq!(grant(Wanted::V1, false, batch), Durability::Durable);
        assert_eq!(
            grant(Wanted::V2, true, batch),
            Durability::Durable,
            "persistence is not on offer"
        );
        assert_eq!(grant(Wanted::Nothing, false, batch), Durability::None);
        assert_eq!(
            grant(
                Wanted::V2,
                false,
                Basis {
                    lease: State::RH,
                    ..bare
                }
            ),
            Durability::Durable
        );
        let available = Basis {
            persistent_allowed: true,
            ..bare
        };
        assert_eq!(grant(Wanted::V2, true, available), Durability::Persistent);
        assert_eq!(grant(Wanted::V1, true, available), Durability::None);
        assert_eq!(
            (
                timeout(0, 60, 300),
                timeout(500, 60, 300),
                timeout(1, 60, 300)
            ),
            (60, 300, 1)
        );
    }

    #[test]
    fn reconnecting() {
        let left = Left {
            is_disconnected: true,
            durability: Durability::Durable,
            is_v2: true,
            create_guid: [1; 16],
            client_guid: [2; 16],
            lease_key: Some([3; 16]),
            path: "a\\b",
        };
        let claim = Claim {
            v2: Some(([1; 16], false)),
            client_guid: [2; 16],
            same_user: true,
            lease_key: Some([3; 16]),
            path: "A\\B",
        };
        let not_found = Err(NtStatus::OBJECT_NAME_NOT_FOUND);
        assert_eq!(check_reconnect(&left, &claim), Ok(()));
        assert_eq!(
            check_reconnect(
                &Left {
                    is_disconnected: false,
                    ..left
                },
                &claim
            ),
            not_found
        );
        assert_eq!(
            check_reconnect(
                &Left {
                    durability: Durability::None,
                    ..left
                },
                &claim
            ),
            not_found
        );
        assert_eq!(
            check_reconnect(
                &left,
                &Claim {
                    v2: Some(([9; 16], false)),
                    ..claim
                }
            ),
            not_found
        );
        assert_eq!(
            check_reconnect(
                &left,
                &Claim {
                    v2: Some(([1; 16], true)),
                    ..claim
                }
            ),
            not_found
        );
        assert_eq!(
            check_reconnect(&left, &Claim { v2: None, ..claim }),
            not_found
        );
        assert_eq!(
            check_reconnect(
                &left,
                &Claim {
                    lease_key: None,
                    ..claim
                }
            ),
            not_found
        );
        assert_eq!(
            check_reconnect(
                &left,
                &Claim {
                    client_guid: [9; 16],
                    ..claim
                }
            ),
            not_found
        );
        let stranger = Claim {
            same_user: false,
            ..claim
        };
        assert_eq!(
            check_reconnect(&left, &stranger),
            Err(NtStatus::ACCESS_DENIED)
        );
        assert_eq!(
            check_reconnect(&left, &Claim { path: "c", ..claim }),
            Err(NtStatus::INVALID_PARAMETER)
        );
        let plain = Left {
            lease_key: None,
            is_v2: false,
            ..left
        };
        let old = Claim {
            v2: None,
            lease_key: None,
            path: "",
            client_guid: [9; 16],
            ..claim
        };
        assert_eq!(check_reconnect(&plain, &old), Ok(()));
    }

    #[test]
    fn replaying_a_create() {
        let twin = Twin {
            is_pending: false,
            is_replay_eligible: true,
            same_session: true,
            lease_key: None,
            durability: Durability::Durable,
        };
        assert_eq!(check_replay(&twin, true, None), Ok(Replay::Answer));
        assert_eq!(
            check_replay(&twin, false, None),
            Err(NtStatus::DUPLICATE_OBJECTID)
        );
        assert_eq!(
            check_replay(&twin, true, Some([1; 16])),
            Err(NtStatus::ACCESS_DENIED)
        );
        let pending = Twin {
            is_pending: true,
            ..twin
        };
        assert_eq!(
            check_replay(&pending, true, None),
            Err(NtStatus::FILE_NOT_AVAILABLE)
        );
        let used = Twin {
            is_replay_eligible: false,
            ..twin
        };
        assert_eq!(check_replay(&used, true, None), Ok(Replay::Create));
        let other = Twin {
            same_session: false,
            ..twin
        };
        assert_eq!(
            check_replay(&other, true, None),
            Err(NtStatus::DUPLICATE_OBJECTID)
        );
    }

    #[test]
    fn channel_sequences() {
        let unavailable = Err(NtStatus::FILE_NOT_AVAILABLE);
        let mut channel = Channel::new(0);
        let first = channel.begin(0, true, false).unwrap();
        let second = channel.begin(1, false, false).unwrap();
        assert_eq!(channel.begin(0, true, false), unavailable, "from before");
        assert_eq!(
            channel.begin(0, false, false),
            Ok(Running(None)),
            "reading does no harm"
        );
        assert_eq!(
            channel.begin(1, true, true),
            unavailable,
            "the first one still runs"
        );
        assert!(channel.begin(1, true, false).is_ok());
        channel.end(first);
        assert!(channel.begin(1, true, true).is_ok());
        channel.end(second);
        channel.end(Running(None));
        assert_eq!((channel.current, channel.earlier), (2, 0));

        let mut wraps = Channel::new(0xFFFF);
        assert!(wraps.begin(0, true, false).is_ok(), "0 follows 0xFFFF");
        assert_eq!(wraps.begin(0xFFFF, true, false), unavailable);
        assert_eq!(wraps.begin(0x8000, true, false), unavailable);
        assert!(wraps.begin(0x7FFF, true, false).is_ok());
    }

    #[test]
    fn application_instances() {
        assert_eq!(app_instance_closes(false, true, None, None), Ok(true));
        assert_eq!(app_instance_closes(true, true, None, None), Ok(false));
        assert_eq!(app_instance_closes(false, false, None, None), Ok(false));
        assert_eq!(
            app_instance_closes(false, true, Some((1, 0)), Some((1, 1))),
            Ok(true)
        );
        assert_eq!(
            app_instance_closes(false, true, Some((1, 1)), Some((1, 1))),
            Err(FILE_FORCED_CLOSED)
        );
        assert_eq!(
            app_instance_closes(false, true, Some((9, 0)), None),
            Ok(true)
        );
    }
}
