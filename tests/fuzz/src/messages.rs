// SPDX-License-Identifier: GPL-2.0

//! SMB2 messages, and what authentication brings. [MS-SMB2] 2.2, [MS-NLMP] 2.2, RFC 4178.

#[path = "../../../src/proto/tests/common/mod.rs"]
mod common;

use common::Way;
use smb_client::crypto::Software;
use smb_model::ntlmv2::{self, Messages};
use smb_proto::create_context::{Contexts, ReplyContexts, RequestContexts};
use smb_proto::header::{Command, Header, HEADER_LEN};
use smb_proto::negotiate::{Dialect, Reply, Request};
use smb_proto::ntlmssp::{Authenticate, AvPairs, Challenge, Negotiate, NtResponse};
use smb_proto::read::Channel;
use smb_proto::spnego::{is_plain_kerberos, MechList, NegTokenInit, NegTokenResp, Token};
use smb_proto::write;

use crate::{choice, written};

/// A frame of any kind: SMB1, sealed, compressed, or a chain, with every element parsed as a request and as a reply, and
/// written again.
pub fn chain(data: &[u8]) {
    common::digest(data);
}

/// A body behind a header that is right: the input's first byte says which command, and which way. What was parsed and
/// written parses to the same.
pub fn request(data: &[u8]) {
    let Some((number, body)) = choice(data) else {
        return;
    };
    let command = Command::ALL[number % Command::ALL.len()];
    let way = if number & 0x80 == 0 {
        Way::Request
    } else {
        Way::Reply
    };
    let pdu = common::message(command, way, |w| w.bytes(body));
    if (command, way) == (Command::Write, Way::Request) {
        write_without_front(&pdu);
    }
    if let Ok(Some(once)) = common::rewrite(&pdu, way) {
        let twice = common::rewrite(&once, way).expect("what was written parses");
        assert_eq!(twice, Some(once), "a second time, it is written otherwise");
    }
}

/// A WRITE whose first data the module took out of the frame before: it says the same as the whole one.
fn write_without_front(pdu: &[u8]) {
    let whole = write::Request::parse(pdu);
    if let Some(at) = write::data_alone(pdu, pdu.len()) {
        let request = whole.expect("its data can be taken out, so it is a WRITE");
        assert_eq!(request.data, &pdu[at..]);
        assert!(request.channel_info.is_empty(), "nothing but data");
    }
    // As many as no data are, or more.
    for missing in [1, 1 << 12, usize::MAX] {
        let _ = write::Request::parse_without(pdu, missing);
    }
    let Ok(whole) = whole else {
        return;
    };
    let at = usize::from(u16::from_le_bytes([
        pdu[HEADER_LEN + 2],
        pdu[HEADER_LEN + 3],
    ]));
    let len = whole.data.len();
    // Without data, where they are means nothing.
    for missing in [1, len / 2, len] {
        if len == 0 || missing > len {
            continue;
        }
        let without = [&pdu[..at], &pdu[at + missing..]].concat();
        let parsed = write::Request::parse_without(&without, missing);
        // What a channel is told by may lie anywhere, also in what is not there.
        if whole.channel == Channel::NONE {
            let data = &whole.data[missing..];
            assert_eq!(parsed, Ok(write::Request { data, ..whole }));
        }
        assert!(
            write::Request::parse_without(&without, len + 1).is_err(),
            "more is missing than there was"
        );
    }
}

/// A chain of create contexts.
pub fn create_contexts(data: &[u8]) {
    let Ok(contexts) = Contexts::parse(data) else {
        return;
    };
    for context in contexts {
        assert!(
            context.name.len() + context.data.len() <= data.len(),
            "it is part of the input"
        );
    }
    if let Ok(request) = RequestContexts::parse(contexts) {
        let pdu = create_with(|chain, w| request.write(chain, w));
        let again = smb_proto::create::Request::parse(&pdu).expect("what was written parses");
        assert_eq!(RequestContexts::parse(again.contexts), Ok(request));
    }
    // What is not known is not written; what is, must be readable.
    let _ = ReplyContexts::parse(contexts);
}

fn create_with(
    write: impl FnOnce(
        &mut smb_proto::create_context::ChainWriter,
        &mut smb_proto::wire::Writer<'_>,
    ) -> smb_proto::wire::Written,
) -> Vec<u8> {
    let file = smb_client::NewFile::named("name");
    let utf16: Vec<u8> = file
        .name
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let request = smb_proto::create::Request {
        oplock_level: file.oplock,
        impersonation_level: smb_proto::create::ImpersonationLevel::IMPERSONATION,
        desired_access: file.access,
        file_attributes: smb_proto::attributes::FileAttributes::NORMAL,
        share_access: file.share,
        disposition: file.disposition,
        options: file.options,
        name: smb_proto::unicode::Utf16(&utf16),
        contexts: Contexts::EMPTY,
    };
    common::message(Command::Create, Way::Request, |w| {
        let mut chain = request.begin(w)?;
        write(&mut chain, w)?;
        chain.finish(w)
    })
}

/// Negotiate contexts behind a NEGOTIATE request that is right up to them; the first byte says how many they are.
pub fn negotiate(data: &[u8]) {
    let Some((count, contexts)) = choice(data) else {
        return;
    };
    let offer = smb_client::Offer {
        dialects: vec![Dialect::SMB_2_1],
        ..smb_client::Offer::default()
    };
    let mut pdu = common::message(Command::Negotiate, Way::Request, |w| offer.write(w));
    pdu[HEADER_LEN + 36..][..2].copy_from_slice(&0x311u16.to_le_bytes());
    pdu.resize(pdu.len().next_multiple_of(8), 0);
    let offset = u32::try_from(pdu.len()).expect("a short message");
    pdu[HEADER_LEN + 28..][..4].copy_from_slice(&offset.to_le_bytes());
    let count = u16::try_from(count).expect("a byte");
    pdu[HEADER_LEN + 32..][..2].copy_from_slice(&count.to_le_bytes());
    pdu.extend_from_slice(contexts);
    if let Ok(request) = Request::parse(&pdu) {
        let seen = request.contexts.iter().flat_map(|list| list.iter()).count();
        assert_eq!(seen, usize::from(count), "every context is there");
    }
    let _ = common::rewrite(&pdu, Way::Request);
    let _ = Reply::parse(&pdu);
    let _ = Header::parse(&pdu);
}

/// SPNEGO, bare and in its GSS-API frame.
pub fn spnego(data: &[u8]) {
    match Token::parse(data) {
        Ok(Token::Init(init)) => {
            let again = written(|w| init.write(w));
            assert_eq!(NegTokenInit::parse(&again), Ok(init));
            init.mechs.mechs().for_each(drop);
            init.mechs.oids().for_each(drop);
        }
        Ok(Token::Resp(resp)) => {
            let again = written(|w| resp.write(w));
            assert_eq!(NegTokenResp::parse(&again), Ok(resp));
        }
        Ok(Token::Ntlmssp(message)) => ntlmssp(message),
        Err(_) => {}
    }
    if is_plain_kerberos(data) {
        assert!(!matches!(Token::parse(data), Ok(Token::Ntlmssp(_))));
    }
    if let Ok(list) = MechList::parse(data) {
        list.oids().for_each(drop);
        list.mechs().for_each(drop);
    }
}

/// NTLMSSP's three messages, their pairs, and the check of the last.
pub fn ntlmssp(data: &[u8]) {
    if let Ok(message) = Negotiate::parse(data) {
        let again = written(|w| message.write(w));
        assert!(Negotiate::parse(&again).is_ok(), "what was written parses");
    }
    if let Ok(message) = Challenge::parse(data) {
        let again = written(|w| message.write(w));
        assert!(Challenge::parse(&again).is_ok(), "what was written parses");
    }
    if let Ok((before, after)) = Authenticate::mic_cover(data) {
        assert_eq!(before.len() + 16 + after.len(), data.len());
    }
    if let Ok(message) = Authenticate::parse(data) {
        let again = written(|w| message.write(w));
        assert!(
            Authenticate::parse(&again).is_ok(),
            "what was written parses"
        );
        let messages = Messages {
            negotiate: data,
            challenge: data,
            authenticate: data,
        };
        // libFuzzer sees what the proof is compared with, so that it finds a right one; it is right for one password.
        let accepted = [[1; 16], [3; 16]].map(|hash| {
            ntlmv2::accept::<Software>(&hash, &[2; 8], message.flags, &message, messages).is_ok()
        });
        assert_ne!(accepted, [true; 2], "a proof that is right for everybody");
        message.is_anonymous();
    }
    if let Ok(pairs) = AvPairs::parse(data) {
        pairs.iter().for_each(drop);
        let _ = (pairs.flags(), pairs.timestamp(), pairs.channel_bindings());
    }
    let _ = NtResponse::parse(data);
}
