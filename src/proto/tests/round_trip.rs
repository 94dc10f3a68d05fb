// SPDX-License-Identifier: GPL-2.0

//! Every message that is written parses to what it was made of, and random bytes never panic a parser.

mod common;

use common::{digest, message, Way};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use smb_proto::attributes::FileAttributes;
use smb_proto::create_context::*;
use smb_proto::header::{Command, FileId, Header, HeaderFlags};
use smb_proto::lease::{Lease, LeaseFlags, LeaseKey, LeaseState, LeaseV2};
use smb_proto::negotiate_context::{self as nc, CompressionAlgorithm};
use smb_proto::posix::PosixStat;
use smb_proto::read::Channel;
use smb_proto::security::{AccessMask, Sid};
use smb_proto::status::NtStatus;
use smb_proto::time::FileTime;
use smb_proto::transform;
use smb_proto::unicode::Utf16;
use smb_proto::wire::{Reader, Writer};
use smb_proto::{
    chain, change_notify, close, create, error, flush, ioctl, lock, negotiate, oplock_break,
    query_directory, query_info, read, session_setup, set_info, smb1, smb_direct, tree_connect,
    trivial, write,
};

fn file_id() -> impl Strategy<Value = FileId> {
    any::<(u64, u64)>().prop_map(|(persistent, volatile)| FileId {
        persistent,
        volatile,
    })
}

/// UTF-16LE bytes of any units.
fn name() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u16>(), 0..40)
        .prop_map(|units| units.into_iter().flat_map(u16::to_le_bytes).collect())
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..300)
}

fn lease() -> impl Strategy<Value = Lease> {
    let v2 = any::<([u8; 16], u16)>().prop_map(|(key, epoch)| LeaseV2 {
        parent_key: LeaseKey(key),
        epoch,
    });
    (
        any::<[u8; 16]>(),
        any::<u32>(),
        any::<u32>(),
        option::of(v2),
    )
        .prop_map(|(key, state, flags, v2)| Lease {
            key: LeaseKey(key),
            state: LeaseState::from_bits(state),
            flags: LeaseFlags::from_bits(flags),
            v2,
        })
}

/// A SID on the wire.
fn sid() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u32>(), 0..16).prop_map(|sub_authorities| {
        let count = u8::try_from(sub_authorities.len()).expect("few");
        let mut sid = vec![1, count, 0, 0, 0, 0, 0, 5];
        sid.extend(sub_authorities.into_iter().flat_map(u32::to_le_bytes));
        sid
    })
}

proptest! {
    #[test]
    fn header(bytes in any::<[u8; 64]>()) {
        let mut bytes = bytes;
        bytes[..4].copy_from_slice(b"\xfeSMB");
        bytes[4..6].copy_from_slice(&64u16.to_le_bytes());
        let header = Header::parse(&bytes).expect("a header");
        let mut again = [0; 64];
        header.write(&mut Writer::new(&mut again)).expect("room");
        prop_assert_eq!(bytes, again);
        prop_assert_eq!(header.async_id().is_some(), header.has(HeaderFlags::ASYNC_COMMAND));
        prop_assert_eq!(header.tree_id().is_some(), header.async_id().is_none());
        let answer = header.reply();
        prop_assert!(answer.has(HeaderFlags::SERVER_TO_REDIR) && !answer.is_async());
        prop_assert_eq!(answer.message_id(), header.message_id());
        prop_assert_eq!(answer.session_id(), header.session_id());
        if header.tree_id().is_some() {
            prop_assert_eq!(answer.tree_id(), header.tree_id());
        }
    }

    #[test]
    fn negotiate_request(
        modes in any::<(u16, u32, [u8; 16])>(),
        dialects in vec(any::<u16>(), 1..9),
        with_3_1_1 in any::<bool>(),
        lists in (vec(any::<u16>(), 1..5), vec(any::<u16>(), 1..5)),
        salt in vec(any::<u8>(), 0..40),
        server in name(),
    ) {
        let mut dialects: Vec<_> = dialects.into_iter().map(negotiate::Dialect).collect();
        dialects.retain(|dialect| *dialect != negotiate::Dialect::SMB_3_1_1);
        if with_3_1_1 || dialects.is_empty() {
            dialects.push(negotiate::Dialect::SMB_3_1_1);
        }
        let offers_3_1_1 = dialects.contains(&negotiate::Dialect::SMB_3_1_1);
        let head = negotiate::RequestHead {
            security_mode: negotiate::SecurityMode::from_bits(modes.0),
            capabilities: negotiate::Capabilities::from_bits(modes.1),
            client_guid: modes.2,
            dialects: &dialects,
        };
        let ciphers: Vec<_> = lists.0.iter().copied().map(nc::Cipher).collect();
        let signing: Vec<_> = lists.1.iter().copied().map(nc::SigningAlgorithm).collect();
        let pdu = message(Command::Negotiate, Way::Request, |w| {
            if !offers_3_1_1 {
                return head.write(w);
            }
            let mut list = head.begin(w)?;
            list.preauth_integrity(w, &[nc::HashAlgorithm::SHA_512], &salt)?;
            list.encryption(w, &ciphers)?;
            list.compression(w, nc::CompressionFlags::CHAINED, &[CompressionAlgorithm::LZ77])?;
            list.net_name(w, Utf16(&server))?;
            list.signing(w, &signing)?;
            list.rdma_transform(w, &[nc::RdmaTransformId::SIGNING])?;
            list.transport(w, nc::TransportFlags::ACCEPT_TRANSPORT_LEVEL_SECURITY)?;
            list.posix(w)?;
            list.finish(w)
        });
        let request = negotiate::Request::parse(&pdu).expect("parses");
        prop_assert_eq!(request.security_mode, head.security_mode);
        prop_assert_eq!(request.capabilities, head.capabilities);
        prop_assert_eq!(request.client_guid, head.client_guid);
        prop_assert_eq!(request.dialects.collect::<Vec<_>>(), dialects);
        prop_assert_eq!(request.contexts.is_some(), offers_3_1_1);
        let Some(contexts) = request.contexts else { return Ok(()) };
        prop_assert_eq!(contexts.len(), 8);
        let contexts: Vec<_> = contexts.iter().collect();
        prop_assert_eq!(contexts.len(), 8);
        for context in contexts {
            match context {
                nc::Context::PreauthIntegrity { hashes, salt: parsed } => {
                    prop_assert!(hashes.eq([nc::HashAlgorithm::SHA_512]));
                    prop_assert_eq!(parsed, &salt[..]);
                }
                nc::Context::Encryption(ids) => prop_assert!(ids.eq(ciphers.iter().copied())),
                nc::Context::Compression { flags, algorithms } => {
                    prop_assert_eq!(flags, nc::CompressionFlags::CHAINED);
                    prop_assert!(algorithms.eq([CompressionAlgorithm::LZ77]));
                }
                nc::Context::NetName(name) => prop_assert_eq!(name.0, &server[..]),
                nc::Context::Signing(ids) => prop_assert!(ids.eq(signing.iter().copied())),
                nc::Context::RdmaTransform(ids) => {
                    prop_assert!(ids.eq([nc::RdmaTransformId::SIGNING]));
                }
                nc::Context::Transport(flags) => prop_assert_eq!(flags.bits(), 1),
                nc::Context::Posix(known) => prop_assert!(known),
                nc::Context::Unknown(..) => prop_assert!(false, "all are known"),
            }
        }
    }

    #[test]
    fn negotiate_reply(
        fields in any::<(u16, [u8; 16], u32, [u32; 3], [u64; 2])>(),
        token in data(),
        with_contexts in any::<bool>(),
    ) {
        let dialect = if with_contexts {
            negotiate::Dialect::SMB_3_1_1
        } else {
            negotiate::Dialect::SMB_3_0
        };
        let reply = negotiate::Reply {
            security_mode: negotiate::SecurityMode::from_bits(fields.0),
            dialect,
            server_guid: fields.1,
            capabilities: negotiate::Capabilities::from_bits(fields.2),
            max_transact_size: fields.3[0],
            max_read_size: fields.3[1],
            max_write_size: fields.3[2],
            system_time: FileTime(fields.4[0]),
            server_start_time: FileTime(fields.4[1]),
            security_buffer: &token,
            contexts: None,
        };
        let pdu = message(Command::Negotiate, Way::Reply, |w| {
            let mut list = reply.begin(w)?;
            if with_contexts {
                list.encryption(w, &[nc::Cipher::AES_128_GCM])?;
                list.signing(w, &[nc::SigningAlgorithm::AES_GMAC])?;
            }
            list.finish(w)
        });
        let parsed = negotiate::Reply::parse(&pdu).expect("parses");
        prop_assert_eq!(negotiate::Reply { contexts: None, ..parsed }, reply);
        prop_assert_eq!(parsed.contexts.map(|list| list.iter().count()), with_contexts.then_some(2));
    }

    #[test]
    fn session_setup(fields in any::<(u8, u8, u32, u64, u16)>(), token in data()) {
        let request = session_setup::Request {
            flags: session_setup::RequestFlags::from_bits(fields.0),
            security_mode: negotiate::SecurityMode::from_bits(u16::from(fields.1)),
            capabilities: negotiate::Capabilities::from_bits(fields.2),
            previous_session_id: fields.3,
            security_buffer: &token,
        };
        let pdu = message(Command::SessionSetup, Way::Request, |w| request.write(w));
        prop_assert_eq!(session_setup::Request::parse(&pdu), Ok(request));
        let flags = session_setup::SessionFlags::from_bits(fields.4);
        let reply = session_setup::Reply { flags, security_buffer: &token };
        let pdu = message(Command::SessionSetup, Way::Reply, |w| reply.write(w));
        prop_assert_eq!(session_setup::Reply::parse(&pdu), Ok(reply));
    }

    #[test]
    fn tree_connect(path in name(), flags in 0u16..4, fields in any::<(u8, u32, u32, u32)>()) {
        let flags = tree_connect::RequestFlags::from_bits(flags);
        let request = tree_connect::Request { flags, path: Utf16(&path) };
        let pdu = message(Command::TreeConnect, Way::Request, |w| request.write(w));
        prop_assert_eq!(tree_connect::Request::parse(&pdu), Ok(request));
        let reply = tree_connect::Reply {
            share_type: tree_connect::ShareType(fields.0),
            flags: tree_connect::ShareFlags::from_bits(fields.1),
            capabilities: tree_connect::ShareCapabilities::from_bits(fields.2),
            maximal_access: AccessMask::from_bits(fields.3),
        };
        let pdu = message(Command::TreeConnect, Way::Reply, |w| reply.write(w));
        prop_assert_eq!(tree_connect::Reply::parse(&pdu), Ok(reply));
    }

    #[test]
    fn create_request(
        fields in any::<(u8, u32, u32, u32, u32, u32, u32)>(),
        name in name(),
        bytes in (option::of(data()), option::of(data())),
        flags in any::<(bool, bool)>(),
        numbers in (option::of(any::<u64>()), option::of(any::<u64>()), option::of(option::of(any::<u64>()))),
        ids in (option::of(file_id()), option::of(lease()), option::of(any::<[u8; 16]>())),
        durable in (option::of(any::<(u32, u32, [u8; 16])>()), option::of((file_id(), any::<([u8; 16], u32)>()))),
        rest in (option::of(any::<(u64, u64)>()), option::of(any::<u32>()), option::of(any::<(u64, u64)>())),
    ) {
        let contexts = RequestContexts {
            extended_attributes: bytes.0.as_deref(),
            security_descriptor: bytes.1.as_deref(),
            durable_request: flags.0,
            durable_reconnect: ids.0,
            allocation_size: numbers.0,
            maximal_access: numbers.2.map(|time| time.map(FileTime)),
            timewarp: numbers.1.map(FileTime),
            on_disk_id: flags.1,
            lease: ids.1,
            durable_request_v2: durable.0.map(|(timeout, flags, create_guid)| DurableRequestV2 {
                timeout,
                flags: DurableFlags::from_bits(flags),
                create_guid,
            }),
            durable_reconnect_v2: durable.1.map(|(file_id, (create_guid, flags))| DurableReconnectV2 {
                file_id,
                create_guid,
                flags: DurableFlags::from_bits(flags),
            }),
            app_instance_id: ids.2,
            app_instance_version: rest.0.map(|(high, low)| AppInstanceVersion { high, low }),
            posix: rest.1,
            aapl: rest.2.map(|(bitmap, capabilities)| AaplRequest {
                bitmap: AaplBitmap::from_bits(bitmap),
                capabilities: AaplCapabilities::from_bits(capabilities),
            }),
        };
        let request = create::Request {
            oplock_level: create::OplockLevel(fields.0),
            impersonation_level: create::ImpersonationLevel(fields.1),
            desired_access: AccessMask::from_bits(fields.2),
            file_attributes: FileAttributes::from_bits(fields.3),
            share_access: create::ShareAccess::from_bits(fields.4),
            disposition: create::Disposition(fields.5),
            options: create::CreateOptions::from_bits(fields.6),
            name: Utf16(&name),
            contexts: Contexts::EMPTY,
        };
        let pdu = message(Command::Create, Way::Request, |w| {
            let mut chain = request.begin(w)?;
            contexts.write(&mut chain, w)?;
            chain.finish(w)
        });
        let parsed = create::Request::parse(&pdu).expect("parses");
        prop_assert_eq!(RequestContexts::parse(parsed.contexts), Ok(contexts));
        prop_assert_eq!(create::Request { contexts: Contexts::EMPTY, ..parsed }, request);
    }

    #[test]
    fn create_reply(
        fields in any::<(u8, u8, u32, [u64; 6], u32)>(),
        id in file_id(),
        durable in (any::<bool>(), option::of(any::<(u32, u32)>())),
        ids in (option::of(any::<(u32, u32)>()), option::of(any::<(u64, u64)>()), option::of(lease())),
        posix in option::of((any::<(u32, u32, u32)>(), sid(), sid())),
        aapl in option::of((option::of(any::<u64>()), option::of(any::<u64>()), option::of(name()))),
    ) {
        let contexts = ReplyContexts {
            durable: durable.0,
            maximal_access: ids.0.map(|(status, access)| MaximalAccess {
                status: NtStatus(status),
                access: AccessMask::from_bits(access),
            }),
            on_disk_id: ids.1.map(|(file, volume)| OnDiskId { file, volume }),
            lease: ids.2,
            durable_v2: durable.1.map(|(timeout, flags)| DurableReplyV2 {
                timeout,
                flags: DurableFlags::from_bits(flags),
            }),
            posix: posix.as_ref().map(|((links, reparse_tag, mode), owner, group)| PosixReply {
                reparse_tag: *reparse_tag,
                stat: PosixStat {
                    device: 0,
                    links: *links,
                    mode: *mode,
                    owner: Sid::take(&mut Reader::new(owner)).expect("a SID"),
                    group: Sid::take(&mut Reader::new(group)).expect("a SID"),
                },
            }),
            aapl: aapl.as_ref().map(|(server, volume, model)| AaplReply {
                server: server.map(AaplCapabilities::from_bits),
                volume: volume.map(AaplVolumeCapabilities::from_bits),
                model: model.as_deref().map(Utf16),
            }),
        };
        let reply = create::Reply {
            oplock_level: create::OplockLevel(fields.0),
            flags: create::ReplyFlags::from_bits(fields.1),
            action: create::CreateAction(fields.2),
            creation_time: FileTime(fields.3[0]),
            last_access_time: FileTime(fields.3[1]),
            last_write_time: FileTime(fields.3[2]),
            change_time: FileTime(fields.3[3]),
            allocation_size: fields.3[4],
            end_of_file: fields.3[5],
            file_attributes: FileAttributes::from_bits(fields.4),
            file_id: id,
            contexts: Contexts::EMPTY,
        };
        let pdu = message(Command::Create, Way::Reply, |w| {
            let mut chain = reply.begin(w)?;
            contexts.write(&mut chain, w)?;
            chain.finish(w)
        });
        let parsed = create::Reply::parse(&pdu).expect("parses");
        prop_assert_eq!(ReplyContexts::parse(parsed.contexts), Ok(contexts));
        prop_assert_eq!(create::Reply { contexts: Contexts::EMPTY, ..parsed }, reply);
    }

    #[test]
    fn close_flush_and_the_empty(id in file_id(), flags in any::<u16>(), fields in option::of(any::<([u64; 6], u32)>())) {
        let request = close::Request { flags: close::CloseFlags::from_bits(flags), file_id: id };
        let pdu = message(Command::Close, Way::Request, |w| request.write(w));
        prop_assert_eq!(close::Request::parse(&pdu), Ok(request));
        let attributes = fields.map(|(numbers, attributes)| close::Attributes {
            creation_time: FileTime(numbers[0]),
            last_access_time: FileTime(numbers[1]),
            last_write_time: FileTime(numbers[2]),
            change_time: FileTime(numbers[3]),
            allocation_size: numbers[4],
            end_of_file: numbers[5],
            file_attributes: FileAttributes::from_bits(attributes),
        });
        let reply = close::Reply { attributes };
        let pdu = message(Command::Close, Way::Reply, |w| reply.write(w));
        prop_assert_eq!(close::Reply::parse(&pdu), Ok(reply));
        let request = flush::Request { file_id: id };
        let pdu = message(Command::Flush, Way::Request, |w| request.write(w));
        prop_assert_eq!(flush::Request::parse(&pdu), Ok(request));
        let pdu = message(Command::Echo, Way::Reply, |w| trivial::Empty.write(w));
        prop_assert_eq!(trivial::Empty::parse(&pdu), Ok(trivial::Empty));
        let pdu = message(Command::SetInfo, Way::Reply, |w| set_info::Reply.write(w));
        prop_assert_eq!(set_info::Reply::parse(&pdu), Ok(set_info::Reply));
    }

    #[test]
    fn read(
        fields in any::<(u8, u8, u32, u64, u32, u32)>(),
        id in file_id(),
        descriptors in vec(any::<(u64, u32, u32)>(), 0..4),
        data in data(),
        data_offset in 80u8..,
    ) {
        let mut info = vec![0; descriptors.len() * 16];
        let mut w = Writer::new(&mut info);
        let descriptors: Vec<_> = descriptors
            .into_iter()
            .map(|(offset, token, length)| smb_direct::BufferDescriptor { offset, token, length })
            .collect();
        for descriptor in &descriptors {
            descriptor.write(&mut w).expect("room");
        }
        let request = read::Request {
            padding: fields.0,
            flags: read::ReadFlags::from_bits(fields.1),
            length: fields.2,
            offset: fields.3,
            file_id: id,
            minimum_count: fields.4,
            channel: if info.is_empty() { Channel::NONE } else { Channel::RDMA_V1 },
            remaining_bytes: fields.5,
            channel_info: &info,
        };
        let pdu = message(Command::Read, Way::Request, |w| request.write(w));
        let parsed = read::Request::parse(&pdu);
        prop_assert_eq!(parsed, Ok(request));
        if !info.is_empty() {
            prop_assert!(smb_direct::BufferDescriptors::parse(&info).expect("whole ones").eq(descriptors));
            prop_assert!(smb_direct::BufferDescriptors::parse(&info[1..]).is_err());
        }
        let reply = read::Reply { data_remaining: fields.4, data: &data };
        let pdu = message(Command::Read, Way::Reply, |w| reply.write(w));
        prop_assert_eq!(read::Reply::parse(&pdu), Ok(reply));
        // The data behind the head, anywhere that the client may have wished.
        let mut pdu = message(Command::Read, Way::Reply, |w| {
            read::write_head(w, data_offset, data.len(), fields.4)
        });
        prop_assert_eq!(pdu.len(), usize::from(data_offset));
        pdu.extend_from_slice(&data);
        prop_assert_eq!(read::Reply::parse(&pdu), Ok(reply));
    }

    #[test]
    fn write(fields in any::<(u64, u32, u32, u32, u32)>(), id in file_id(), info in data(), data in data()) {
        let channel = Channel(fields.1);
        let request = write::Request {
            offset: fields.0,
            file_id: id,
            channel,
            remaining_bytes: fields.2,
            flags: write::WriteFlags::from_bits(fields.3),
            channel_info: if channel == Channel::NONE { &[] } else { &info },
            data: &data,
        };
        let pdu = message(Command::Write, Way::Request, |w| request.write(w));
        prop_assert_eq!(write::Request::parse(&pdu), Ok(request));
        let reply = write::Reply { count: fields.4 };
        let pdu = message(Command::Write, Way::Reply, |w| reply.write(w));
        prop_assert_eq!(write::Reply::parse(&pdu), Ok(reply));
    }

    #[test]
    fn lock(sequence in (0u8..16, 0u32..1 << 28), id in file_id(), locks in vec(any::<(u64, u64, u32)>(), 1..70)) {
        let locks: Vec<_> = locks
            .into_iter()
            .map(|(offset, length, flags)| lock::Element { offset, length, flags: lock::LockFlags::from_bits(flags) })
            .collect();
        let request = lock::NewRequest {
            sequence_number: sequence.0,
            sequence_index: sequence.1,
            file_id: id,
            locks: &locks,
        };
        let pdu = message(Command::Lock, Way::Request, |w| request.write(w));
        let parsed = lock::Request::parse(&pdu).expect("parses");
        prop_assert_eq!((parsed.sequence_number, parsed.sequence_index), sequence);
        prop_assert_eq!(parsed.file_id, id);
        prop_assert_eq!(parsed.locks.len(), locks.len());
        prop_assert!(parsed.locks.eq(locks.iter().copied()));
        prop_assert!(lock::Request::parse(&pdu[..pdu.len() - 1]).is_err());
    }

    #[test]
    fn ioctl(fields in any::<(u32, u32, u32, u32)>(), id in file_id(), data in data()) {
        let request = ioctl::Request {
            code: fields.0,
            file_id: id,
            input: &data,
            max_input_response: fields.1,
            max_output_response: fields.2,
            flags: ioctl::IoctlFlags::from_bits(fields.3),
        };
        let pdu = message(Command::Ioctl, Way::Request, |w| request.write(w));
        prop_assert_eq!(ioctl::Request::parse(&pdu), Ok(request));
        let reply = ioctl::Reply { code: fields.0, file_id: id, input: &[], output: &data };
        let pdu = message(Command::Ioctl, Way::Reply, |w| reply.write(w));
        prop_assert_eq!(ioctl::Reply::parse(&pdu), Ok(reply));
    }

    #[test]
    fn queries(fields in any::<(u8, u8, u32, u32, u32)>(), id in file_id(), name in name(), data in data()) {
        let request = query_directory::Request {
            information_class: fields.0,
            flags: query_directory::QueryDirectoryFlags::from_bits(fields.1),
            file_index: fields.2,
            file_id: id,
            pattern: Utf16(&name),
            output_buffer_length: fields.3,
        };
        let pdu = message(Command::QueryDirectory, Way::Request, |w| request.write(w));
        prop_assert_eq!(query_directory::Request::parse(&pdu), Ok(request));
        let request = query_info::Request {
            info_type: query_info::InfoType(fields.0),
            info_class: fields.1,
            output_buffer_length: fields.2,
            input: &data,
            additional_information: fields.3,
            flags: query_info::QueryInfoFlags::from_bits(fields.4),
            file_id: id,
        };
        let pdu = message(Command::QueryInfo, Way::Request, |w| request.write(w));
        prop_assert_eq!(query_info::Request::parse(&pdu), Ok(request));
        let reply = query_info::Reply { data: &data };
        let pdu = message(Command::QueryInfo, Way::Reply, |w| reply.write(w));
        prop_assert_eq!(query_info::Reply::parse(&pdu), Ok(reply));
        let request = set_info::Request {
            info_type: query_info::InfoType(fields.0),
            info_class: fields.1,
            additional_information: fields.2,
            file_id: id,
            data: &data,
        };
        let pdu = message(Command::SetInfo, Way::Request, |w| request.write(w));
        prop_assert_eq!(set_info::Request::parse(&pdu), Ok(request));
    }

    #[test]
    fn change_notify(
        fields in any::<(u16, u32, u32)>(),
        id in file_id(),
        records in vec((any::<u32>(), name()), 0..9),
        room in 0usize..400,
    ) {
        let request = change_notify::Request {
            flags: change_notify::NotifyFlags::from_bits(fields.0),
            output_buffer_length: fields.1,
            file_id: id,
            filter: change_notify::CompletionFilter::from_bits(fields.2),
        };
        let pdu = message(Command::ChangeNotify, Way::Request, |w| request.write(w));
        prop_assert_eq!(change_notify::Request::parse(&pdu), Ok(request));
        // As many records as there is room for, and none half.
        let mut buffer = vec![0xAA; room];
        let mut w = Writer::new(&mut buffer);
        let mut writer = change_notify::RecordWriter::new();
        let mut fitted = Vec::new();
        for (action, name) in &records {
            let record = change_notify::Record { action: change_notify::Action(*action), name: Utf16(name) };
            let before = w.len();
            let room = w.room();
            let added = writer.add(&mut w, &record);
            prop_assert_eq!(added.is_ok(), change_notify::record_len(name.len()) <= room);
            match added {
                Ok(()) => fitted.push((record.action, name.clone())),
                Err(_) => prop_assert_eq!(w.len(), before),
            }
        }
        let written = w.written();
        let parsed: Vec<_> = change_notify::Records::new(written)
            .map(|record| record.map(|record| (record.action, record.name.0.to_vec())).expect("sound"))
            .collect();
        prop_assert_eq!(parsed, fitted);
    }

    #[test]
    fn breaks(fields in any::<(u8, u16, u32, [u8; 16], u32, u32)>(), id in file_id()) {
        let oplock = oplock_break::OplockBreak { level: create::OplockLevel(fields.0), file_id: id };
        let ack = oplock_break::LeaseAck {
            flags: LeaseFlags::from_bits(fields.2),
            key: LeaseKey(fields.3),
            state: LeaseState::from_bits(fields.4),
        };
        let lease = oplock_break::LeaseBreak {
            new_epoch: fields.1,
            flags: oplock_break::LeaseBreakFlags::from_bits(fields.2),
            key: LeaseKey(fields.3),
            current_state: LeaseState::from_bits(fields.4),
            new_state: LeaseState::from_bits(fields.5),
            access_mask_hint: AccessMask::NONE,
        };
        for request in [oplock_break::Request::Oplock(oplock), oplock_break::Request::Lease(ack)] {
            let pdu = message(Command::OplockBreak, Way::Request, |w| request.write(w));
            prop_assert_eq!(oplock_break::Request::parse(&pdu), Ok(request));
        }
        for reply in [
            oplock_break::Reply::Oplock(oplock),
            oplock_break::Reply::LeaseAck(ack),
            oplock_break::Reply::LeaseBreak(lease),
        ] {
            let pdu = message(Command::OplockBreak, Way::Reply, |w| reply.write(w));
            prop_assert_eq!(oplock_break::Reply::parse(&pdu), Ok(reply));
        }
    }

    #[test]
    fn errors(data in data(), with_context in any::<bool>(), names in (name(), name()), unparsed in any::<u16>(), relative in any::<bool>()) {
        let pdu = message(Command::Create, Way::Reply, |w| error::Reply::write_data(w, &data, with_context));
        let reply = error::Reply::parse(&pdu).expect("parses");
        prop_assert_eq!(reply.data(), Some(&data[..]));
        prop_assert_eq!(reply.contexts().count(), usize::from(with_context));
        let again = message(Command::Create, Way::Reply, |w| reply.write(w));
        prop_assert_eq!(pdu, again);
        let symlink = error::Symlink {
            unparsed_path_len: unparsed,
            relative,
            substitute_name: Utf16(&names.0),
            print_name: Utf16(&names.1),
        };
        let pdu = message(Command::Create, Way::Reply, |w| {
            error::Reply::write_with(w, with_context, |w| symlink.write(w))
        });
        let reply = error::Reply::parse(&pdu).expect("parses");
        prop_assert_eq!(error::Symlink::parse(reply.data().expect("data")), Ok(symlink));
    }

    #[test]
    fn multi_protocol(names in vec(vec(1u8.., 0..12), 0..6), with in any::<(bool, bool)>()) {
        let mut names: Vec<&[u8]> = names.iter().map(|name| &name[..]).collect();
        if with.0 {
            names.push(smb1::DIALECT_2_002);
        }
        if with.1 {
            names.push(smb1::DIALECT_2_WILDCARD);
        }
        let mut bytes = vec![0; 256];
        let mut w = Writer::new(&mut bytes);
        smb1::Negotiate::write(&mut w, &names).expect("room");
        let found = smb1::Negotiate::parse(w.written()).expect("parses");
        prop_assert_eq!((found.smb_2_002, found.smb_2_wildcard), with);
    }

    #[test]
    fn compounds(bodies in vec(0usize..30, 1..9)) {
        let mut bytes = vec![0xAA; 2048];
        let mut w = Writer::new(&mut bytes);
        for (index, body) in bodies.iter().enumerate() {
            let id = u64::try_from(index).expect("few");
            let open = chain::Open::begin(&mut w, &Header::request(Command::Echo, id)).expect("room");
            w.zeros(2 + body).expect("room");
            if index + 1 < bodies.len() {
                open.link(&mut w).expect("room");
            }
        }
        let chain = chain::split(w.written()).expect("a chain");
        prop_assert_eq!(chain.count(), bodies.len());
        for (index, element) in chain.elements().enumerate() {
            prop_assert_eq!(element.header.message_id(), u64::try_from(index).expect("few"));
            prop_assert_eq!(element.last, index + 1 == bodies.len());
            let want = 66 + bodies[index];
            let want = if element.last { want } else { want.next_multiple_of(8) };
            prop_assert_eq!(element.pdu.len(), want);
        }
    }

    #[test]
    fn transforms(session in any::<u64>(), nonce in any::<[u8; 16]>(), tag in any::<[u8; 16]>(), data in data()) {
        let mut header = transform::Header::new(session, nonce, data.len()).expect("short");
        header.set_signature(tag);
        let mut frame = header.to_bytes().to_vec();
        frame.extend_from_slice(&data);
        prop_assert_eq!(transform::Header::parse(&frame), Ok(header));
        prop_assert_eq!(&header.aad()[..], &frame[20..52]);
        prop_assert_eq!((header.session_id(), *header.nonce(), *header.signature()), (session, nonce, tag));
        frame.push(0);
        prop_assert!(transform::Header::parse(&frame).is_err(), "longer than it says");
    }

    #[test]
    fn frame_lengths(len in any::<u32>()) {
        let len = usize::try_from(len).expect("32 bits");
        match smb_proto::header::frame_header(len) {
            Ok(header) => prop_assert_eq!(smb_proto::header::frame_len(header), Ok(len)),
            Err(_) => prop_assert!(len > smb_proto::header::MAX_FRAME_LEN),
        }
    }

    #[test]
    fn random_bodies_are_harmless(command in 0u16..0x15, size in any::<u16>(), body in vec(any::<u8>(), 0..400)) {
        // With a StructureSize that some parser wants, half the time.
        const SIZES: [u16; 16] = [2, 4, 9, 16, 17, 24, 25, 32, 33, 36, 41, 44, 48, 49, 57, 65];
        let size = SIZES.get(usize::from(size % 32)).copied().unwrap_or(size);
        let mut frame = message(Command::Echo, Way::Request, |w| w.u16(size));
        frame[12..14].copy_from_slice(&command.to_le_bytes());
        frame.extend_from_slice(&body);
        digest(&frame);
    }

    #[test]
    fn random_bytes_are_harmless(kind in 0u8..5, body in vec(any::<u8>(), 0..300)) {
        let mut frame = body;
        if let (Some(id), 0..=3) = (frame.get_mut(..4), kind) {
            id.copy_from_slice(&[0xfc + kind, b'S', b'M', b'B']);
        }
        digest(&frame);
    }
}
