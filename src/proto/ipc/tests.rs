// SPDX-License-Identifier: GPL-2.0

//! Tests of the netlink messages.

use super::*;
use crate::wire::{Writer, Written};
use proptest::prelude::*;
use std::vec::Vec;

fn written(size: usize, write: impl FnOnce(&mut Writer<'_>) -> Written) -> Vec<u8> {
    let mut buffer = vec![0xAA; size];
    let mut writer = Writer::new(&mut buffer);
    write(&mut writer).expect("room");
    let length = writer.len();
    buffer.truncate(length);
    buffer
}

fn startup(interfaces: &[u8]) -> Vec<u8> {
    let mut head = StartupRequest::read_from_bytes(&[0; 744]).unwrap();
    head.tcp_port = 445;
    head.netbios_name = Text::new(b"BOX").unwrap();
    written(744 + interfaces.len(), |w| {
        Startup { head, interfaces }.write(w)
    })
}

fn share_head(flags: u32) -> ShareConfigHead {
    ShareConfigHead {
        flags,
        name: Text::new(b"share").unwrap(),
        ..ShareConfigHead::none(7)
    }
}

fn share(flags: u32, veto: &[u8], path: &[u8]) -> Vec<u8> {
    written(4096, |w| {
        ShareConfigResponse::write(&share_head(flags), veto, path, w)
    })
}

#[test]
fn commands_know_their_numbers_and_answers() {
    for number in 0..=255 {
        match Command::from_number(number) {
            Some(command) => {
                assert_eq!(
                    (command.number(), command.attribute()),
                    (number, number.into())
                );
                if let Some(answer) = command.answer() {
                    assert_eq!(answer.number(), number + 1);
                    assert!(answer.is_for_kernel());
                }
            }
            None => assert!(!(1..=17).contains(&number)),
        }
    }
    let taken: Vec<u8> = (1..=17)
        .filter(|number| Command::from_number(*number).is_some_and(Command::is_for_kernel))
        .collect();
    assert_eq!(taken, [2, 5, 7, 9, 13, 15, 17]);
}

#[test]
fn text_ends_at_its_nul() {
    let text = Text::<8>(*b"ab\0cdefg");
    assert_eq!(text.bytes(), b"ab");
    assert_eq!(text.terminated(), Ok(b"ab".as_slice()));
    assert_eq!(Text::<4>(*b"full").terminated(), Err(Malformed));
    assert_eq!(Text::<4>(*b"full").bytes(), b"full");
    assert_eq!(Text::<4>::new(b"four"), Err(Full));
    assert_eq!(Text::<8>::new(b"a\0b"), Err(Full));
    assert!(Text::<4>::EMPTY.is_empty());
    assert_eq!(format!("{text:?}"), "\"ab\"");
}

#[test]
fn start_up_carries_its_interfaces() {
    let payload = startup(b"eth0\0lo\0");
    let read = Startup::parse(&payload).unwrap();
    assert_eq!({ read.head.tcp_port }, 445);
    assert_eq!({ read.head.interfaces_size }, 8);
    assert_eq!(
        read.interface_names().collect::<Vec<_>>(),
        [b"eth0".as_slice(), b"lo"]
    );
    assert!(Startup::parse(payload.split_last().unwrap().1).is_err());
}

#[test]
fn a_hash_size_beyond_the_field_is_refused() {
    let mut response = LoginResponse::refusal(1, user_flag::OK);
    response.hash_size = 16;
    assert_eq!(response.nt_hash(), Some(&[0; 16]));
    response.hash_size = 18;
    assert!(response.hash_bytes().is_ok());
    assert_eq!(response.nt_hash(), None);
    response.hash_size = 19;
    assert_eq!(response.hash_bytes(), Err(Malformed));
}

#[test]
fn expiry_has_64_bits() {
    let mut response = LoginResponse::refusal(1, user_flag::OK);
    assert_eq!(response.expiry(), None);
    response.set_expiry(0x1_2345_6789);
    assert_eq!(
        (response.expiry_low, response.expiry_high),
        (0x2345_6789, 1)
    );
    assert_eq!(response.expiry(), Some(0x1_2345_6789));
}

#[test]
fn numbers_of_groups_are_checked() {
    let mut payload = written(200, |w| LoginResponseExt::write(3, &[1, 70_000], w));
    let read = LoginResponseExt::parse(&payload).unwrap();
    assert_eq!((read.handle, read.len()), (3, 2));
    assert_eq!(read.groups().collect::<Vec<_>>(), [1, 70_000]);
    for bad in [-1i32, 3, i32::MAX, i32::MIN] {
        for (to, from) in payload.iter_mut().skip(4).zip(bad.to_ne_bytes()) {
            *to = from;
        }
        assert!(LoginResponseExt::parse(&payload).is_err(), "{bad}");
    }
    assert!(LoginResponseExt::write(1, &[0; MAX_GROUPS + 1], &mut Writer::new(&mut [])).is_err());
}

#[test]
fn a_share_carries_veto_list_and_path() {
    let payload = share(share_flag::AVAILABLE, b"a*\0b\0", b"/srv");
    // The layout that other implementations read: list, NUL, path, NUL.
    assert_eq!(&payload[536..], b"a*\0b\0\0/srv\0");
    let read = ShareConfigResponse::parse(&payload).unwrap();
    assert_eq!(
        read.veto_patterns().collect::<Vec<_>>(),
        [b"a*".as_slice(), b"b"]
    );
    assert_eq!(read.path(), b"/srv");
    let payload = share(share_flag::AVAILABLE, b"", b"/srv");
    assert_eq!(&payload[536..], b"/srv\0");
    assert_eq!(
        ShareConfigResponse::parse(&payload).unwrap().path(),
        b"/srv"
    );
}

#[test]
fn a_payload_size_of_zero_means_all_of_it() {
    let mut payload = share(share_flag::AVAILABLE, b"a\0", b"/srv");
    payload[528..532].fill(0);
    assert_eq!(
        ShareConfigResponse::parse(&payload).unwrap().path(),
        b"/srv"
    );
}

#[test]
fn a_pipe_share_may_claim_a_veto_list() {
    let mut head = share_head(share_flag::PIPE);
    head.veto_size = 4000;
    let read = ShareConfigResponse::parse(head.as_bytes()).unwrap();
    assert!(read.path().is_empty() && read.veto_patterns().next().is_none());
}

#[test]
fn shares_without_path_or_end_are_refused() {
    assert!(ShareConfigResponse::parse(share_head(share_flag::AVAILABLE).as_bytes()).is_err());
    let mut head = share_head(0);
    assert!(ShareConfigResponse::parse(head.as_bytes()).is_ok());
    head.name = Text([b'x'; SHARE_NAME_SIZE]);
    assert!(ShareConfigResponse::parse(head.as_bytes()).is_err());
    let mut payload = share(share_flag::AVAILABLE, b"a\0", b"/srv");
    payload[532] = 200;
    assert!(ShareConfigResponse::parse(&payload).is_err());
}

#[test]
fn wide_ids_count_before_narrow_ones() {
    let mut head = share_head(share_flag::AVAILABLE);
    assert_eq!((head.forced_uid(), head.forced_gid()), (None, None));
    head.force_uid = 5;
    assert_eq!(head.forced_uid(), Some(5));
    head.extension = ShareExtension {
        mark: ShareExtension::MARK,
        force_uid: 100_000,
        force_gid: NO_FORCED_ID_WIDE,
        reserved: 0,
    };
    head.force_gid = 6;
    assert_eq!(
        (head.forced_uid(), head.forced_gid()),
        (Some(100_000), None)
    );
}

#[test]
fn a_spnego_blob_begins_within_the_structure() {
    let payload = written(64, |w| {
        SpnegoRequest {
            handle: 9,
            blob: b"token",
            conversation: None,
        }
        .write(w)
    });
    assert_eq!(payload.len(), 8 + 5);
    assert_eq!(&payload[6..11], b"token");
    assert_eq!(
        SpnegoRequest::parse(&payload),
        Ok(SpnegoRequest {
            handle: 9,
            blob: b"token",
            conversation: None,
        })
    );
}

#[test]
fn a_start_up_tells_its_features_behind_a_mark() {
    let mut extension = StartupExtension::ABSENT;
    assert_eq!(extension.known_features(), None);
    extension.mark = StartupExtension::MARK;
    extension.features = daemon_feature::KERBEROS;
    assert_eq!(extension.known_features(), Some(daemon_feature::KERBEROS));
}

proptest! {
    #[test]
    fn rpc_round_trips(handle: u32, flags: u32, payload: Vec<u8>) {
        let command = RpcCommand { handle, flags, payload: &payload };
        let bytes = written(12 + payload.len(), |w| command.write(w));
        prop_assert_eq!(RpcCommand::parse(&bytes), Ok(command));
        prop_assert_eq!(read_handle(&bytes), Ok(handle));
    }

    #[test]
    fn spnego_answers_round_trip(handle: u32, key: Vec<u8>, blob: Vec<u8>) {
        let login = LoginResponse::refusal(handle, user_flag::OK);
        let answer = SpnegoResponse { handle, login, key: &key, blob: &blob };
        let bytes = written(156 + key.len() + blob.len(), |w| answer.write(w));
        let read = SpnegoResponse::parse(&bytes).unwrap();
        prop_assert_eq!((read.key, read.blob, read.login.status), (&*key, &*blob, user_flag::OK));
    }

    #[test]
    fn spnego_requests_round_trip(handle: u32, blob: Vec<u8>, conversation: Option<u64>, client in "[0-9a-f:.]{0,63}") {
        let client = Text::new(client.as_bytes()).unwrap();
        let conversation = conversation.map(|id| Conversation { id, client });
        let request = SpnegoRequest { handle, blob: &blob, conversation };
        let bytes = written(SpnegoRequest::OVERHEAD + blob.len(), |w| request.write(w));
        let tail = if conversation.is_some() { 78 } else { 2 };
        prop_assert_eq!(bytes.len(), 6 + blob.len() + tail);
        prop_assert_eq!(SpnegoRequest::parse(&bytes), Ok(request));
        // A module that does not tell the address.
        let nobody = conversation.map(|known| Conversation { client: Text::EMPTY, ..known });
        let short = &bytes[..bytes.len() - tail.saturating_sub(14)];
        prop_assert_eq!(SpnegoRequest::parse(short).map(|read| read.conversation), Ok(nobody));
    }

    #[test]
    fn shares_round_trip(veto in proptest::collection::vec("[a-z*?]{1,6}", 0..4), path in "/[a-z/]{0,20}") {
        let list: Vec<u8> = veto.iter().flat_map(|name| name.bytes().chain([0])).collect();
        let bytes = share(share_flag::AVAILABLE, &list, path.as_bytes());
        let read = ShareConfigResponse::parse(&bytes).unwrap();
        prop_assert_eq!(read.path(), path.as_bytes());
        let names: Vec<Vec<u8>> = read.veto_patterns().map(<[u8]>::to_vec).collect();
        prop_assert_eq!(names, veto.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..900)) {
        let _ = Startup::parse(&bytes).map(|startup| startup.interface_names().count());
        let _ = LoginResponseExt::parse(&bytes).map(|answer| answer.groups().count());
        let _ = ShareConfigResponse::parse(&bytes).map(|answer| answer.veto_patterns().count());
        let _ = RpcCommand::parse(&bytes);
        let _ = SpnegoRequest::parse(&bytes);
        let _ = SpnegoResponse::parse(&bytes);
        let _ = (read_handle(&bytes), read::<LoginRequest>(&bytes), read::<TreeConnectRequest>(&bytes));
    }

    #[test]
    fn damaged_messages_give_an_answer(at: prop::sample::Index, with: u8, cut: prop::sample::Index) {
        for mut bytes in [
            startup(b"eth0\0"),
            share(share_flag::AVAILABLE, b"a\0", b"/srv"),
            written(200, |w| LoginResponseExt::write(3, &[1, 2], w)),
        ] {
            let index = at.index(bytes.len());
            bytes[index] ^= with;
            bytes.truncate(cut.index(bytes.len()) + 1);
            let _ = Startup::parse(&bytes).map(|startup| startup.interface_names().count());
            let _ = LoginResponseExt::parse(&bytes).map(|answer| answer.groups().count());
            let _ = ShareConfigResponse::parse(&bytes).map(|answer| answer.veto_patterns().count());
        }
    }
}
