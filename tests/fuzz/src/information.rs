// SPDX-License-Identifier: GPL-2.0

//! What requests carry: information, security descriptors, controls, names; and the messages of the daemon. [MS-FSCC],
//! [MS-DTYP] 2.4.

use smb_model::access::Mask;
use smb_model::descriptor::{self, Token};
use smb_model::lease::Kind;
use smb_model::names::{self, Path, Rules, ShortName};
use smb_model::wildcard;
use smb_proto::copy::{Chunk, CopyRequest};
use smb_proto::directory::{DirClass, DirEntry};
use smb_proto::dos_info::DosInfo;
use smb_proto::ea::{self, Ea, GetEa};
use smb_proto::file_info::{AllInfo, FileInfoClass, LinkEntry, NameInfo, StreamInfo};
use smb_proto::file_set::SetFile;
use smb_proto::fs_info::{AttributeInfo, LabelInfo, VolumeInfo};
use smb_proto::fsctl::{
    parse_set_sparse, DuplicateExtentsEx, FileTrim, PipeWait, ValidateNegotiate,
};
use smb_proto::ipc;
use smb_proto::network::{self, Interface};
use smb_proto::posix::{CreateMode, CreateReply, PosixFileInfo};
use smb_proto::reparse::ReparseData;
use smb_proto::security::{Acl, AclField, SecurityDescriptor, Sid};
use smb_proto::snapshot::{SnapshotArray, SnapshotTime};
use smb_proto::unicode::Utf16;
use smb_proto::wire::Writer;

use crate::{choice, written};

/// A security descriptor, and what it gives to whom.
pub fn security(data: &[u8]) {
    if let Ok(sid) = Sid::parse(data) {
        assert_eq!(Sid::parse(&written(|w| sid.write(w))), Ok(sid));
        let text = sid.to_string();
        assert_eq!(Sid::from_text(&text), Some(sid), "{text}");
    }
    if let Ok(text) = std::str::from_utf8(data) {
        if let Some(sid) = Sid::from_text(text) {
            assert!(sid.size() <= 8 + 15 * 4, "a SID is short");
        }
    }
    if let Ok(list) = Acl::parse(data) {
        assert_eq!(list.iter().count(), list.len(), "every entry is there");
    }
    let Ok(sd) = SecurityDescriptor::parse(data) else {
        return;
    };
    let again = written(|w| sd.write(w));
    assert!(
        SecurityDescriptor::parse(&again).is_ok(),
        "what was written parses"
    );
    let groups = [Sid::unix_group(100), Sid::unix_group(7)];
    let token = Token {
        user: Sid::unix_user(1000),
        groups: &groups,
        security_privilege: data.len() % 2 == 0,
        take_ownership_privilege: data.len() % 3 == 0,
    };
    let maximal = token.maximal(sd.owner.as_ref(), sd.dacl);
    if let Ok(granted) = token.check(sd.owner.as_ref(), sd.dacl, Mask(0x0200_0000)) {
        // What is granted of all that is allowed is no more than that, beside what privileges give.
        let privileged = Mask(0x0108_0000);
        assert_eq!(
            granted.0 & !(maximal.0 | privileged.0),
            0,
            "more than the most: {granted:?}, {maximal:?}"
        );
    }
    if let AclField::List(list) = sd.dacl {
        for ace in list.iter() {
            for kind in [Kind::File, Kind::Directory] {
                descriptor::inherit(&ace, kind, token.user, groups[0]);
            }
        }
    }
}

/// Information of every class; the first byte is the class.
pub fn information(data: &[u8]) {
    let Some((class, data)) = choice(data) else {
        return;
    };
    let class = FileInfoClass(u8::try_from(class).expect("a byte"));
    let _ = SetFile::parse(class, data);
    let _ = (NameInfo::parse(data), AllInfo::parse(data));
    let _ = (
        VolumeInfo::parse(data),
        AttributeInfo::parse(data),
        LabelInfo::parse(data),
    );
    let _ = (
        CreateMode::parse(data),
        CreateReply::parse(data),
        PosixFileInfo::parse(data),
    );
    if let Some(class) = DirClass::from_class(class) {
        let entries = DirEntry::list(class, data)
            .take_while(Result::is_ok)
            .count();
        assert!(entries <= data.len(), "an entry has bytes of its own");
    }
    let attributes = Ea::list(data).take_while(Result::is_ok).count();
    let names = GetEa::list(data).take_while(Result::is_ok).count();
    assert!(
        attributes <= data.len() && names <= data.len(),
        "an entry has bytes of its own"
    );
    let streams = StreamInfo::list(data).take_while(Result::is_ok).count();
    let links = LinkEntry::list(data).map_or(0, |links| links.take_while(Result::is_ok).count());
    assert!(
        streams <= data.len() && links <= data.len(),
        "an entry has bytes of its own"
    );
    ea::is_valid_name(data);
    if let Ok(info) = DosInfo::parse(data) {
        let again = written(|w| info.write(w));
        assert_eq!(DosInfo::parse(&again), Ok(info));
    }
    if let Ok(reparse) = ReparseData::parse(data) {
        let again = written(|w| reparse.write(w));
        assert!(
            ReparseData::parse(&again).is_ok(),
            "what was written parses"
        );
    }
    let records = smb_proto::change_notify::Records::new(data)
        .take_while(Result::is_ok)
        .count();
    assert!(records <= data.len(), "a record has bytes of its own");
}

/// The input of controls.
pub fn fsctl(data: &[u8]) {
    if let Ok(copy) = CopyRequest::parse(data) {
        let chunks: Vec<Chunk> = copy.chunks().collect();
        assert_eq!(chunks.len(), copy.len(), "every chunk is there");
    }
    if let Ok(ex) = DuplicateExtentsEx::parse(data) {
        assert_eq!(DuplicateExtentsEx::parse(&written(|w| ex.write(w))), Ok(ex));
    }
    if let Ok(negotiate) = ValidateNegotiate::parse(data) {
        assert!(
            negotiate.dialects().count() <= data.len(),
            "a dialect has bytes of its own"
        );
    }
    if let Ok(trim) = FileTrim::parse(data) {
        assert!(
            trim.ranges().count() <= data.len(),
            "a range has bytes of its own"
        );
    }
    let _ = PipeWait::parse(data);
    parse_set_sparse(data);
    smb_proto::fsctl::AllocatedRange::list(data).for_each(drop);
    let interfaces: Vec<Interface> = Interface::list(data).map_while(Result::ok).collect();
    assert!(
        interfaces.len() * Interface::SIZE <= data.len(),
        "an interface has bytes of its own"
    );
    let again = written(|w| {
        let mut list = network::list(w, 1 << 20);
        interfaces
            .iter()
            .try_for_each(|interface| interface.write(&mut list, w))
    });
    let read: Result<Vec<Interface>, _> = Interface::list(&again).collect();
    assert_eq!(read, Ok(interfaces));
    if let Ok(snapshots) = SnapshotArray::parse(data) {
        assert!(
            snapshots.iter().count() <= data.len(),
            "a snapshot has bytes of its own"
        );
    }
    if let Ok(time) = SnapshotTime::from_token(data) {
        assert_eq!(SnapshotTime::from_token(&time.token()), Ok(time));
    }
}

/// Messages between the module and the daemon, both ways.
pub fn ipc(data: &[u8]) {
    let _ = ipc::read::<ipc::LoginRequest>(data);
    let _ = ipc::read::<ipc::LoginResponse>(data);
    let _ = ipc::read::<ipc::ShareConfigRequest>(data);
    let _ = ipc::read::<ipc::TreeConnectRequest>(data);
    let _ = ipc::read::<ipc::TreeConnectResponse>(data);
    let _ = ipc::read::<ipc::TreeDisconnectRequest>(data);
    let _ = ipc::read::<ipc::LogoutRequest>(data);
    let _ = ipc::read_handle(data);
    if let Ok(groups) = ipc::LoginResponseExt::parse(data) {
        let ids: Vec<u32> = groups.groups().collect();
        assert_eq!(ids.len(), groups.len(), "every group is there");
        let again = written(|w| ipc::LoginResponseExt::write(groups.handle, &ids, w));
        assert!(
            ipc::LoginResponseExt::parse(&again).is_ok(),
            "what was written parses"
        );
    }
    if let Ok(share) = ipc::ShareConfigResponse::parse(data) {
        assert!(share.path().len() <= data.len(), "it is part of the input");
    }
    if let Ok(command) = ipc::RpcCommand::parse(data) {
        assert_eq!(
            ipc::RpcCommand::parse(&written(|w| command.write(w))),
            Ok(command)
        );
    }
    if let Ok(startup) = ipc::Startup::parse(data) {
        assert!(
            startup.interface_names().count() <= startup.interfaces.len(),
            "a name has bytes of its own"
        );
        let again = written(|w| startup.write(w));
        assert!(data.starts_with(&again), "it is written as it was");
    }
    let _ = ipc::SpnegoRequest::parse(data);
    let _ = ipc::SpnegoResponse::parse(data);
}

/// Names and patterns: UTF-16 as it comes, its UTF-8, the path that it names, and what it matches.
pub fn names(data: &[u8]) {
    let Ok(wire) = Utf16::new(&data[..data.len() & !1]) else {
        return;
    };
    let mut buf = vec![0; data.len() * 2 + 16];
    let mut w = Writer::new(&mut buf);
    if wire.to_utf8(&mut w).is_err() {
        return;
    }
    let text = std::str::from_utf8(w.written()).expect("UTF-8");
    assert_eq!(text.len(), wire.utf8_len().expect("as it was counted"));
    assert!(wire.eq_str(text), "it is the same text");
    for rules in [Rules::Windows, Rules::Posix] {
        if let Ok(path) = Path::parse(text, rules) {
            for component in path.components() {
                assert!(
                    !matches!(component, "" | "." | "..") && !component.contains('/'),
                    "{component:?} leads elsewhere"
                );
            }
        }
        let _ = names::check_component(text, rules);
    }
    let _ = names::stream_rename_target(text);
    let mut separated = text.as_bytes().to_vec();
    names::separate_posix(&mut separated);
    assert!(!separated.contains(&b'/'));
    if let Some(short) = ShortName::of(text) {
        let short = short.as_str();
        assert!(names::is_short(short), "{short}");
        assert!(
            names::may_be_short(short) && names::is_short_name_of(short, text),
            "{short}"
        );
    }
    if let Some((pattern, name)) = text.split_once('|') {
        let whole = wildcard::matches_str(pattern, name);
        assert_eq!(
            whole,
            wildcard::matches(pattern.chars(), name.chars()) || pattern == "*"
        );
        if !wildcard::has_wildcard(pattern.chars()) && name.chars().count() < 200 {
            assert_eq!(
                whole,
                wildcard::same_name(pattern, name),
                "{pattern:?} {name:?}"
            );
        }
        wildcard::glob(pattern, name);
    }
    SnapshotTime::from_component(wire);
}
