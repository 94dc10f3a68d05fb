// SPDX-License-Identifier: GPL-2.0

//! What the recorded messages carry: authentication tokens, file and file system information, directory entries, security
//! descriptors, controls. All of it must parse, and mean the same once it was written again.

mod bytes;
mod common;

use std::collections::{BTreeMap, BTreeSet};

use bytes::write;
use common::{unhex, way_of, Way};
use smb_proto::directory::{DirClass, DirEntry, EntryWriter, Pushed};
use smb_proto::file_info::*;
use smb_proto::file_set::SetFile;
use smb_proto::fs_info::*;
use smb_proto::fsctl::{Fsctl, ValidateNegotiate};
use smb_proto::header::Command;
use smb_proto::network::Interface;
use smb_proto::ntlmssp::{Authenticate, Challenge, Negotiate, NtResponse};
use smb_proto::posix::PosixFileInfo;
use smb_proto::query_info::InfoType;
use smb_proto::security::SecurityDescriptor;
use smb_proto::spnego::{NegTokenInit, Token};
use smb_proto::status::NtStatus;
use smb_proto::{chain, ioctl, negotiate, query_directory, query_info, session_setup, set_info};

/// Names of the kinds of data that were met.
type Seen = BTreeSet<String>;

/// The structure `$type` in `$data` is the same when it was written and read again.
macro_rules! same {
    ($type:ty, $data:expr) => {{
        let value = <$type>::parse($data).expect(stringify!($type));
        let again = write(|w| value.write(w));
        assert_eq!(<$type>::parse(&again), Ok(value));
    }};
}

#[test]
fn recorded_data_parses() {
    let mut requests: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let mut seen = Seen::new();
    for line in include_str!("recorded/samba.hex")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let (_, hex) = line.split_once(' ').expect("a way and a frame");
        let frame = unhex(hex).expect("hexadecimal digits");
        let Ok(elements) = chain::split(&frame) else {
            continue;
        };
        for element in elements {
            let id = element.header.message_id();
            match way_of(&element.header) {
                Way::Request => {
                    request(element.header.command(), element.pdu, &mut seen);
                    requests.insert(id, element.pdu.to_vec());
                }
                Way::Reply => {
                    let status = element.header.status();
                    let more = status == NtStatus::MORE_PROCESSING_REQUIRED;
                    if let Some(request) = requests
                        .get(&id)
                        .filter(|_| more || status == NtStatus::SUCCESS)
                    {
                        reply(element.header.command(), request, element.pdu, &mut seen);
                    }
                }
            }
        }
    }
    let seen: Vec<_> = seen.iter().map(String::as_str).collect();
    for kind in [
        "CHALLENGE",
        "NEGOTIATE",
        "NegTokenInit2",
        "VALIDATE_NEGOTIATE_INFO",
        "directory 37",
        "file system SIZE",
        "set BASIC",
        "set DISPOSITION",
        "set RENAME",
    ] {
        assert!(seen.contains(&kind), "{kind} is not among {seen:?}");
    }
}

fn request<E>(command: Result<Command, E>, pdu: &[u8], seen: &mut Seen) {
    match command {
        Ok(Command::SessionSetup) => token(
            session_setup::Request::parse(pdu).unwrap().security_buffer,
            seen,
        ),
        Ok(Command::SetInfo) => {
            let request = set_info::Request::parse(pdu).unwrap();
            if request.info_type == InfoType::FILE {
                let class = FileInfoClass(request.info_class);
                let Ok(value) = SetFile::parse(class, request.data) else {
                    seen.insert(format!("refused set {class:?}"));
                    return;
                };
                let again = write(|w| value.write(class, w));
                assert_eq!(SetFile::parse(class, &again), Ok(value));
                seen.insert(format!("set {class:?}"));
            }
        }
        Ok(Command::Ioctl) => {
            let request = ioctl::Request::parse(pdu).unwrap();
            if Fsctl(request.code) == Fsctl::VALIDATE_NEGOTIATE_INFO {
                let info = ValidateNegotiate::parse(request.input).unwrap();
                assert!(info.dialects().count() > 0);
                seen.insert("VALIDATE_NEGOTIATE_INFO".into());
            }
        }
        _ => {}
    }
}

fn reply<E>(command: Result<Command, E>, request: &[u8], pdu: &[u8], seen: &mut Seen) {
    match command {
        Ok(Command::Negotiate) => {
            let Ok(reply) = negotiate::Reply::parse(pdu) else {
                return;
            };
            if !reply.security_buffer.is_empty() {
                let token = NegTokenInit::parse(reply.security_buffer).unwrap();
                assert_eq!(write(|w| token.write(w)), reply.security_buffer);
                seen.insert("NegTokenInit2".into());
            }
        }
        Ok(Command::SessionSetup) => token(
            session_setup::Reply::parse(pdu).unwrap().security_buffer,
            seen,
        ),
        Ok(Command::QueryDirectory) => {
            let class = query_directory::Request::parse(request)
                .unwrap()
                .information_class;
            directory(
                class,
                query_directory::Reply::parse(pdu).unwrap().data,
                seen,
            );
        }
        Ok(Command::QueryInfo) => {
            let request = query_info::Request::parse(request).unwrap();
            let data = query_info::Reply::parse(pdu).unwrap().data;
            match request.info_type {
                InfoType::FILE => file(FileInfoClass(request.info_class), data, seen),
                InfoType::FILESYSTEM => file_system(FsInfoClass(request.info_class), data, seen),
                InfoType::SECURITY => {
                    let sd = SecurityDescriptor::parse(data).unwrap();
                    let again = write(|w| sd.write(w));
                    let back = SecurityDescriptor::parse(&again).unwrap();
                    assert_eq!((back.owner, back.group), (sd.owner, sd.group));
                    seen.insert("security".into());
                }
                _ => {}
            }
        }
        Ok(Command::Ioctl) => {
            let reply = ioctl::Reply::parse(pdu).unwrap();
            if Fsctl(reply.code) == Fsctl::QUERY_NETWORK_INTERFACE_INFO {
                assert!(Interface::list(reply.output).all(|interface| interface.is_ok()));
                seen.insert("interfaces".into());
            }
        }
        _ => {}
    }
}

/// A token of a SESSION_SETUP, SPNEGO's or bare.
fn token(buffer: &[u8], seen: &mut Seen) {
    match Token::parse(buffer).expect("a token") {
        Token::Ntlmssp(message) => ntlmssp(message, seen),
        Token::Init(token) => {
            let again = write(|w| token.write(w));
            assert_eq!(NegTokenInit::parse(&again), Ok(token));
            token
                .mech_token
                .into_iter()
                .for_each(|message| ntlmssp(message, seen));
        }
        Token::Resp(token) => {
            assert_eq!(write(|w| token.write(w)), buffer);
            token
                .response_token
                .into_iter()
                .for_each(|message| ntlmssp(message, seen));
        }
    }
}

fn ntlmssp(message: &[u8], seen: &mut Seen) {
    match message.get(8) {
        Some(1) => {
            same!(Negotiate<'_>, message);
            seen.insert("NEGOTIATE".into());
        }
        Some(2) => {
            same!(Challenge<'_>, message);
            seen.insert("CHALLENGE".into());
        }
        Some(3) => {
            same!(Authenticate<'_>, message);
            let message = Authenticate::parse(message).unwrap();
            if let NtResponse::V2(response) = message.nt_response {
                assert!(response.pairs.iter().count() > 0);
            }
            seen.insert("AUTHENTICATE".into());
        }
        _ => {
            seen.insert("a token that is not NTLMSSP's".into());
        }
    }
}

fn directory(class: u8, data: &[u8], seen: &mut Seen) {
    let class = DirClass::from_class(FileInfoClass(class)).expect("a class of directories");
    let entries: Vec<_> = DirEntry::list(class, data).map(Result::unwrap).collect();
    let again = write(|w| {
        let mut list = EntryWriter::new(w, class, data.len());
        for entry in &entries {
            assert_eq!(list.push(w, entry), Pushed::Added);
        }
        Ok(())
    });
    assert_eq!(
        DirEntry::list(class, &again)
            .map(Result::unwrap)
            .collect::<Vec<_>>(),
        entries
    );
    seen.insert(format!("directory {}", class.class().0));
}

fn file(class: FileInfoClass, data: &[u8], seen: &mut Seen) {
    match class {
        FileInfoClass::BASIC => same!(BasicInfo, data),
        FileInfoClass::STANDARD => same!(StandardInfo, data),
        FileInfoClass::INTERNAL => same!(InternalInfo, data),
        FileInfoClass::NETWORK_OPEN => same!(NetworkOpenInfo, data),
        FileInfoClass::ATTRIBUTE_TAG => same!(AttributeTagInfo, data),
        FileInfoClass::COMPRESSION => same!(CompressionInfo, data),
        FileInfoClass::ALL => same!(AllInfo<'_>, data),
        FileInfoClass::ALTERNATE_NAME | FileInfoClass::NORMALIZED_NAME => same!(NameInfo<'_>, data),
        FileInfoClass::STREAM => assert!(StreamInfo::list(data).all(|stream| stream.is_ok())),
        FileInfoClass::FULL_EA => assert!(smb_proto::ea::Ea::list(data).all(|ea| ea.is_ok())),
        FileInfoClass::POSIX => same!(PosixFileInfo, data),
        _ => {}
    }
    assert!(class.min_query().is_some(), "{class:?} was answered");
    seen.insert(format!("file {class:?}"));
}

fn file_system(class: FsInfoClass, data: &[u8], seen: &mut Seen) {
    match class {
        FsInfoClass::VOLUME => same!(VolumeInfo<'_>, data),
        FsInfoClass::SIZE => same!(SizeInfo, data),
        FsInfoClass::DEVICE => same!(DeviceInfo, data),
        FsInfoClass::ATTRIBUTE => same!(AttributeInfo<'_>, data),
        FsInfoClass::FULL_SIZE => same!(FullSizeInfo, data),
        FsInfoClass::OBJECT_ID => same!(ObjectIdInfo, data),
        FsInfoClass::SECTOR_SIZE => same!(SectorSizeInfo, data),
        FsInfoClass::POSIX => same!(PosixFsInfo, data),
        _ => {}
    }
    assert!(class.min_query().is_some(), "{class:?} was answered");
    seen.insert(format!("file system {class:?}"));
}
