// SPDX-License-Identifier: GPL-2.0

//! What the tests of the messages share: a message in a buffer, and every parser behind one function.
#![allow(dead_code)]

use smb_proto::header::{Command, FrameKind, Header, HeaderFlags};
use smb_proto::status::NtStatus;
use smb_proto::wire::{Malformed, Parsed, Writer, Written};
use smb_proto::{
    chain, change_notify, close, compression, create, create_context, error, flush, ioctl, lock,
    negotiate, oplock_break, query_directory, query_info, read, session_setup, set_info, smb1,
    smb_direct, transform, tree_connect, trivial, write,
};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// From the client.
    Request,
    /// From the server.
    Reply,
}

/// One element: a header, and the body that `body` writes.
pub(crate) fn message(
    command: Command,
    way: Way,
    body: impl FnOnce(&mut Writer<'_>) -> Written,
) -> Vec<u8> {
    let mut header = Header::request(command, 7);
    if way == Way::Reply {
        header = header.reply();
    }
    let mut bytes = vec![0xAA; 1 << 18];
    let mut w = Writer::new(&mut bytes);
    header.write(&mut w).expect("room for the header");
    body(&mut w).expect("room for the body");
    let len = w.len();
    bytes.truncate(len);
    bytes
}

/// Parses everything there is in the element `pdu`, and writes it again behind the same header. The answer is `None` for
/// commands that the header does not define.
pub(crate) fn rewrite(pdu: &[u8], way: Way) -> Parsed<Option<Vec<u8>>> {
    let header = Header::parse(pdu)?;
    let Ok(command) = header.command() else {
        return Ok(None);
    };
    let mut bytes = vec![0u8; pdu.len() * 2 + 4096];
    let mut w = Writer::new(&mut bytes);
    header.write(&mut w).expect("room for the header");
    match way {
        Way::Request => rewrite_request(command, pdu, &mut w)?,
        Way::Reply => rewrite_reply(command, header, pdu, &mut w)?,
    }
    let len = w.len();
    bytes.truncate(len);
    Ok(Some(bytes))
}

/// Room is never short here: a writer that fails is a failed test.
fn fits(written: Written) {
    written.expect("room for what was parsed");
}

fn rewrite_request(command: Command, pdu: &[u8], w: &mut Writer<'_>) -> Parsed<()> {
    match command {
        Command::Negotiate => {
            let request = negotiate::Request::parse(pdu)?;
            let dialects: Vec<_> = request.dialects.collect();
            let head = negotiate::RequestHead {
                security_mode: request.security_mode,
                capabilities: request.capabilities,
                client_guid: request.client_guid,
                dialects: &dialects,
            };
            match request.contexts {
                None => fits(head.write(w)),
                Some(list) => {
                    let mut writer = head.begin(w).expect("room");
                    for context in list.iter() {
                        rewrite_negotiate_context(context, &mut writer, w);
                    }
                    fits(writer.finish(w));
                }
            }
        }
        Command::SessionSetup => fits(session_setup::Request::parse(pdu)?.write(w)),
        Command::TreeConnect => {
            let request = tree_connect::Request::parse(pdu)?;
            if let Ok(contexts) = tree_connect::Request::contexts(pdu) {
                contexts.for_each(drop);
            }
            fits(request.write(w));
        }
        Command::Logoff | Command::TreeDisconnect | Command::Echo | Command::Cancel => {
            fits(trivial::Empty::parse(pdu)?.write(w));
        }
        Command::Create => {
            let request = create::Request::parse(pdu)?;
            let mut chain = request.begin(w).expect("room");
            create_context::RequestContexts::parse(request.contexts)?
                .write(&mut chain, w)
                .expect("room");
            fits(chain.finish(w));
        }
        Command::Close => fits(close::Request::parse(pdu)?.write(w)),
        Command::Flush => fits(flush::Request::parse(pdu)?.write(w)),
        Command::Read => {
            let request = read::Request::parse(pdu)?;
            if let Ok(descriptors) = smb_direct::BufferDescriptors::parse(request.channel_info) {
                descriptors.for_each(drop);
            }
            fits(request.write(w));
        }
        Command::Write => fits(write::Request::parse(pdu)?.write(w)),
        Command::Lock => {
            let request = lock::Request::parse(pdu)?;
            let locks: Vec<_> = request.locks.collect();
            let request = lock::NewRequest {
                sequence_number: request.sequence_number,
                sequence_index: request.sequence_index,
                file_id: request.file_id,
                locks: &locks,
            };
            fits(request.write(w));
        }
        Command::Ioctl => fits(ioctl::Request::parse(pdu)?.write(w)),
        Command::QueryDirectory => fits(query_directory::Request::parse(pdu)?.write(w)),
        Command::ChangeNotify => fits(change_notify::Request::parse(pdu)?.write(w)),
        Command::QueryInfo => fits(query_info::Request::parse(pdu)?.write(w)),
        Command::SetInfo => fits(set_info::Request::parse(pdu)?.write(w)),
        Command::OplockBreak => fits(oplock_break::Request::parse(pdu)?.write(w)),
    }
    Ok(())
}

fn rewrite_reply(command: Command, header: Header, pdu: &[u8], w: &mut Writer<'_>) -> Parsed<()> {
    let more =
        header.status() == NtStatus::MORE_PROCESSING_REQUIRED && command == Command::SessionSetup;
    let partial = header.status() == NtStatus::BUFFER_OVERFLOW;
    if header.status() != NtStatus::SUCCESS && !more && !partial {
        let reply = error::Reply::parse(pdu)?;
        if let Some(data) = reply.data() {
            let _ = error::Symlink::parse(data);
        }
        fits(reply.write(w));
        return Ok(());
    }
    match command {
        Command::Negotiate => {
            let reply = negotiate::Reply::parse(pdu)?;
            match reply.contexts {
                None => fits(reply.write(w)),
                Some(list) => {
                    let mut writer = reply.begin(w).expect("room");
                    for context in list {
                        rewrite_negotiate_context(context, &mut writer, w);
                    }
                    fits(writer.finish(w));
                }
            }
        }
        Command::SessionSetup => fits(session_setup::Reply::parse(pdu)?.write(w)),
        Command::TreeConnect => fits(tree_connect::Reply::parse(pdu)?.write(w)),
        Command::Logoff
        | Command::TreeDisconnect
        | Command::Echo
        | Command::Cancel
        | Command::Flush
        | Command::Lock => fits(trivial::Empty::parse(pdu)?.write(w)),
        Command::Create => {
            let reply = create::Reply::parse(pdu)?;
            let mut chain = reply.begin(w).expect("room");
            create_context::ReplyContexts::parse(reply.contexts)?
                .write(&mut chain, w)
                .expect("room");
            fits(chain.finish(w));
        }
        Command::Close => fits(close::Reply::parse(pdu)?.write(w)),
        Command::Read => fits(read::Reply::parse(pdu)?.write(w)),
        Command::Write => fits(write::Reply::parse(pdu)?.write(w)),
        Command::Ioctl => fits(ioctl::Reply::parse(pdu)?.write(w)),
        Command::QueryDirectory => fits(query_directory::Reply::parse(pdu)?.write(w)),
        Command::ChangeNotify => {
            let reply = change_notify::Reply::parse(pdu)?;
            let buffer = change_notify::Reply::begin(w).expect("room");
            let mut records = change_notify::RecordWriter::new();
            for record in change_notify::Records::new(reply.data) {
                fits(records.add(w, &record?));
            }
            buffer.finish(w).expect("room");
        }
        Command::QueryInfo => fits(query_info::Reply::parse(pdu)?.write(w)),
        Command::SetInfo => fits(set_info::Reply::parse(pdu)?.write(w)),
        Command::OplockBreak => fits(oplock_break::Reply::parse(pdu)?.write(w)),
    }
    Ok(())
}

fn rewrite_negotiate_context(
    context: smb_proto::negotiate_context::Context<'_>,
    list: &mut smb_proto::negotiate_context::ListWriter,
    w: &mut Writer<'_>,
) {
    use smb_proto::negotiate_context::{Context, ContextType};
    fits(match context {
        Context::PreauthIntegrity { hashes, salt } => {
            list.preauth_integrity(w, &hashes.collect::<Vec<_>>(), salt)
        }
        Context::Encryption(ids) => list.encryption(w, &ids.collect::<Vec<_>>()),
        Context::Compression { flags, algorithms } => {
            list.compression(w, flags, &algorithms.collect::<Vec<_>>())
        }
        Context::NetName(name) => list.net_name(w, name),
        Context::Transport(flags) => list.transport(w, flags),
        Context::RdmaTransform(ids) => list.rdma_transform(w, &ids.collect::<Vec<_>>()),
        Context::Signing(ids) => list.signing(w, &ids.collect::<Vec<_>>()),
        Context::Posix(true) => list.posix(w),
        Context::Posix(false) => list.add(w, ContextType::POSIX_EXTENSIONS, |_| Ok(())),
        Context::Unknown(kind, data) => list.add(w, kind, |w| w.bytes(data)),
    });
}

/// Parses all that `frame` holds in every way that a receiver might. Answers how many elements parsed.
pub(crate) fn digest(frame: &[u8]) -> usize {
    let mut parsed = 0;
    if FrameKind::of(frame).is_ok() {
        let _ = smb1::Negotiate::parse(frame);
        if let Ok(header) = transform::Header::parse(frame) {
            header.aad();
        }
        let accepted = compression::Accepted {
            algorithms: compression::Algorithms::ALL,
            chained: true,
            max_segment: 1 << 20,
        };
        if let Ok(compressed) = compression::Compressed::parse(frame, &accepted) {
            let mut message = vec![0; compressed.original_len()];
            let _ = compressed.expand(&mut compression::Scratch::new(), &mut message);
        }
    }
    let Ok(chain) = chain::split(frame) else {
        return 0;
    };
    assert_eq!(
        chain.count(),
        chain.elements().count(),
        "the count and the iterator agree"
    );
    for element in chain {
        for way in [Way::Request, Way::Reply] {
            parsed += usize::from(matches!(rewrite(element.pdu, way), Ok(Some(_))));
        }
        // As an answer of success too, whatever status stands there.
        let mut pdu = element.pdu.to_vec();
        let mut header = element.header;
        header.set_status(NtStatus::SUCCESS);
        header
            .write(&mut Writer::new(&mut pdu))
            .expect("room for the header");
        let _ = rewrite(&pdu, Way::Reply);
        header.set_status(NtStatus::STOPPED_ON_SYMLINK);
        header
            .write(&mut Writer::new(&mut pdu))
            .expect("room for the header");
        let _ = rewrite(&pdu, Way::Reply);
    }
    parsed
}

/// Which way the header says that it goes.
pub(crate) fn way_of(header: &Header) -> Way {
    if header.has(HeaderFlags::SERVER_TO_REDIR) {
        Way::Reply
    } else {
        Way::Request
    }
}

/// Bytes of a hexadecimal line.
pub(crate) fn unhex(line: &str) -> Parsed<Vec<u8>> {
    let digits = line.as_bytes();
    if digits.len() % 2 != 0 {
        return Err(Malformed);
    }
    digits
        .chunks(2)
        .map(|pair| {
            let text = std::str::from_utf8(pair).map_err(|_| Malformed)?;
            u8::from_str_radix(text, 16).map_err(|_| Malformed)
        })
        .collect()
}
