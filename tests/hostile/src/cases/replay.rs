// SPDX-License-Identifier: GPL-2.0

//! Messages sent again, changed, or signed and sealed by others; ids and credits that were not given. [MS-SMB2] 3.3.5.2.3,
//! 3.3.5.2.4, 3.3.5.2.1.1.

use anyhow::{bail, ensure, Context, Result};
use smb_client::crypto::Signer;
use smb_client::{Client, Error, NewFile, Offer, Options, Protection, SetupHeader};
use smb_proto::header::{Command, FileId, Header, HeaderFlags, SIGNATURE_AT};
use smb_proto::negotiate::Dialect;
use smb_proto::negotiate_context::{Cipher, SigningAlgorithm};
use smb_proto::session_setup;
use smb_proto::status::NtStatus;
use smb_proto::transform;
use smb_proto::trivial::Empty;
use smb_proto::write;

use crate::cases::cases;
use crate::check::{answers, closed, refused};
use crate::world::{message, World};

const DENIED: &[NtStatus] = &[NtStatus::ACCESS_DENIED];

cases! {
    "replay.id-used", "a message id that was used" => |world| bad_id(world, |next| next - 1);
    "replay.id-not-granted", "a message id beyond those granted" => |world| bad_id(world, |next| next + 100_000);
    "replay.id-largest", "the largest message id" => |world| bad_id(world, |_| u64::MAX);
    "replay.charge-not-granted", "a request that costs more credits than there are" => charge_not_granted;
    "replay.charge-too-small", "a request that pays for less than it moves" => charge_too_small;
    "replay.signed-again", "a signed request sent again as it was" => signed_again;
    "replay.signed-on-other-channel", "a signed request on another channel of its session" => signed_on_other_channel;
    "replay.gmac-elsewhere", "a signed request on a connection that its session is not of" => signed_elsewhere;
    "replay.signed-by-another", "a request signed with another session's key" => signed_by_another;
    "replay.signature-changed", "signatures of each algorithm with each byte changed" => signature_changed;
    "replay.message-changed", "signed requests of each algorithm with a byte changed" => message_changed;
    "replay.signature-missing", "unsigned requests where signatures are due" => signature_missing;
    "replay.sealed-again", "a sealed request sent again as it was" => sealed_again;
    "replay.sealed-changed", "sealed requests of each cipher with a byte changed" => sealed_changed;
    "replay.sealed-truncated", "sealed requests that are shorter than they say" => sealed_truncated;
    "replay.sealed-other-session", "a sealed request under another session's id" => sealed_other_session;
    "replay.sealed-by-another", "a request sealed with another session's key" => sealed_by_another;
    "replay.answer-as-request", "the server's own signed answer as a request" => answer_as_request;
    "replay.async-request", "requests with an async id in place of a tree connect" => async_request;
    "replay.wrong-tree", "tree connects that there are not" => wrong_tree;
    "replay.wrong-file", "file ids that there are not" => wrong_file;
    "replay.negotiation-changed", "a NEGOTIATE that the server did not get as it was sent" => negotiation_changed;
}

fn bad_id(world: &World, id: fn(u64) -> u64) -> Result<()> {
    let mut client = world.client()?;
    let next = client.conn.next_id;
    let mut header = client.header(Command::Echo, 1);
    header.set_message_id(id(next));
    client
        .conn
        .send_frame(&message(&header, |w| Empty.write(w))?)?;
    closed(&mut client.conn)
}

fn charge_not_granted(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let header = client.header(Command::Echo, u16::MAX);
    client
        .conn
        .send_frame(&message(&header, |w| Empty.write(w))?)?;
    closed(&mut client.conn)
}

fn charge_too_small(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let file = client.create(&NewFile::named("charged.tmp").temporary())?;
    let data = vec![7; 70_000];
    let request = write::Request {
        file_id: file,
        data: &data,
        ..Default::default()
    };
    for charge in [0, 1] {
        let answer = client.call(Command::Write, charge, |w| request.write(w))?;
        crate::check::is_one_of(&answer, &[NtStatus::INVALID_PARAMETER])?;
    }
    let read = smb_proto::read::Request {
        length: 70_000,
        file_id: file,
        ..Default::default()
    };
    let answer = client.call(Command::Read, 1, |w| read.write(w))?;
    crate::check::is_one_of(&answer, &[NtStatus::INVALID_PARAMETER])
}

/// A client whose session must sign.
fn signing(world: &World, offer: Offer) -> Result<Client> {
    let options = Options {
        protection: Protection::Sign,
        offer,
        ..Options::default()
    };
    let header = SetupHeader {
        must_sign: true,
        ..SetupHeader::default()
    };
    let mut client = Client::log_in(&world.target, &options, header)?;
    client.connect_tree(&world.target.share)?;
    Ok(client)
}

/// A signed request that needs a session.
fn signed(client: &mut Client) -> Result<Vec<u8>> {
    signed_as(client, Command::Close)
}

/// The same, or a SESSION_SETUP.
fn signed_as(client: &mut Client, command: Command) -> Result<Vec<u8>> {
    let header = client.header(command, 1);
    let mut frame = message(&header, |w| match command {
        Command::SessionSetup => session_setup::Request {
            security_buffer: &[0x41; 64],
            ..Default::default()
        }
        .write(w),
        _ => w.u16(24).and_then(|()| w.zeros(22)),
    })?;
    let signer = client.session.signer.as_ref().context("no key")?;
    signer.sign(&mut frame);
    Ok(frame)
}

/// What a signed request of [`signed`] is answered when its signature is right.
const SERVED: &[NtStatus] = &[NtStatus::FILE_CLOSED];

fn signed_again(world: &World) -> Result<()> {
    let mut client = signing(world, Offer::default())?;
    let frame = signed(&mut client)?;
    client.conn.send_frame(&frame)?;
    answers(&mut client.conn, SERVED)?;
    client.conn.send_frame(&frame)?;
    closed(&mut client.conn)
}

fn signed_on_other_channel(world: &World) -> Result<()> {
    let (mut first, mut second) = world.channels(Protection::Sign)?;
    // Message ids of the second that are unused on it.
    first.conn.next_id = second.conn.next_id;
    let frame = signed(&mut first)?;
    second.conn.send_frame(&frame)?;
    answers(&mut second.conn, DENIED)?;
    second.conn.next_id += 1;
    let frame = signed(&mut second)?;
    second.conn.send_frame(&frame)?;
    answers(&mut second.conn, SERVED)
}

/// A refusal that is signed has the request's message id, so that with AES-GMAC it would have the nonce of another answer.
fn signed_elsewhere(world: &World) -> Result<()> {
    for (algorithm, may_be_signed) in [
        (SigningAlgorithm::AES_GMAC, false),
        (SigningAlgorithm::AES_CMAC, true),
    ] {
        let offer = Offer {
            signing: vec![algorithm],
            ..Offer::default()
        };
        let mut client = signing(world, offer.clone())?;
        let mut elsewhere = world.connection()?;
        elsewhere.negotiate(&offer)?;
        for command in [Command::Close, Command::SessionSetup] {
            client.conn.next_id = elsewhere.next_id;
            elsewhere.next_id += 1;
            let frame = signed_as(&mut client, command)?;
            elsewhere.send_frame(&frame)?;
            let answer = Header::parse(elsewhere.receive()?).map_err(Error::from)?;
            ensure!(
                answer.status() == NtStatus::USER_SESSION_DELETED,
                "{command:?}: {:?}",
                answer.status()
            );
            ensure!(
                answer.has(HeaderFlags::SIGNED) == may_be_signed,
                "the refusal of {command:?} with {algorithm:?}: {:?}",
                answer.flags()
            );
        }
    }
    Ok(())
}

fn signed_by_another(world: &World) -> Result<()> {
    let mut client = signing(world, Offer::default())?;
    let other = signing(world, Offer::default())?;
    let keys = [
        other.session.signer.clone().context("no key")?,
        Signer::new(SigningAlgorithm::AES_CMAC, &[0; 16]),
    ];
    for key in &keys {
        let mut frame = signed(&mut client)?;
        key.sign(&mut frame);
        client.conn.send_frame(&frame)?;
        answers(&mut client.conn, DENIED)?;
    }
    Ok(())
}

/// Offers that lead to each signing algorithm.
fn signing_offers() -> Vec<Offer> {
    let mut offers: Vec<Offer> = [
        SigningAlgorithm::HMAC_SHA256,
        SigningAlgorithm::AES_CMAC,
        SigningAlgorithm::AES_GMAC,
    ]
    .map(|algorithm| Offer {
        signing: vec![algorithm],
        ..Offer::default()
    })
    .into();
    offers.extend(
        [Dialect::SMB_2_1, Dialect::SMB_3_0, Dialect::SMB_3_0_2].map(|dialect| Offer {
            dialects: vec![dialect],
            ..Offer::default()
        }),
    );
    offers
}

fn signature_changed(world: &World) -> Result<()> {
    for offer in signing_offers() {
        let mut client = signing(world, offer)?;
        for at in 0..16 {
            let mut frame = signed(&mut client)?;
            frame[SIGNATURE_AT + at] ^= 1;
            client.conn.send_frame(&frame)?;
            answers(&mut client.conn, DENIED)?;
        }
        let mut frame = signed(&mut client)?;
        frame[SIGNATURE_AT..][..16].fill(0);
        client.conn.send_frame(&frame)?;
        answers(&mut client.conn, DENIED)?;
        let frame = signed(&mut client)?;
        client.conn.send_frame(&frame)?;
        answers(&mut client.conn, SERVED)?;
    }
    Ok(())
}

fn message_changed(world: &World) -> Result<()> {
    for offer in signing_offers() {
        let mut client = signing(world, offer)?;
        // Credits asked for, tree connect, and the body.
        for at in [14, 36, 70, 80, 87] {
            let mut frame = signed(&mut client)?;
            frame[at] ^= 1;
            client.conn.send_frame(&frame)?;
            answers(&mut client.conn, DENIED)?;
        }
        // Bytes behind it belong to it.
        let mut frame = signed(&mut client)?;
        frame.push(0);
        client.conn.send_frame(&frame)?;
        answers(&mut client.conn, DENIED)?;
    }
    Ok(())
}

fn signature_missing(world: &World) -> Result<()> {
    for offer in signing_offers() {
        let mut client = signing(world, offer)?;
        client.protection = Protection::Plain;
        for command in [Command::Close, Command::TreeDisconnect, Command::Logoff] {
            let header = client.header(command, 1);
            client
                .conn
                .send_frame(&message(&header, |w| w.zeros(24))?)?;
            answers(&mut client.conn, DENIED)?;
        }
    }
    Ok(())
}

/// Offers that lead to each cipher.
pub(super) fn sealing_offers() -> Vec<Offer> {
    let mut offers: Vec<Offer> = [
        Cipher::AES_128_CCM,
        Cipher::AES_128_GCM,
        Cipher::AES_256_CCM,
        Cipher::AES_256_GCM,
    ]
    .map(|cipher| Offer {
        ciphers: vec![cipher],
        ..Offer::default()
    })
    .into();
    offers.push(Offer {
        dialects: vec![Dialect::SMB_3_0_2],
        ..Offer::default()
    });
    offers
}

pub(super) fn sealing(world: &World, offer: &Offer) -> Result<Client> {
    world.client_with(&Options {
        protection: Protection::Seal,
        offer: offer.clone(),
        ..Options::default()
    })
}

/// A sealed ECHO.
fn sealed(client: &mut Client) -> Result<Vec<u8>> {
    let header = client.header(Command::Echo, 1);
    client.queue(&header, |w| Empty.write(w))?;
    let frame = client.conn.out.bytes()[4..].to_vec();
    client.conn.out.clear();
    Ok(frame)
}

fn sealed_again(world: &World) -> Result<()> {
    let mut client = world.protected(Protection::Seal)?;
    let frame = sealed(&mut client)?;
    client.conn.send_frame(&frame)?;
    let first = client.conn.receive()?;
    ensure!(first.starts_with(b"\xfdSMB"), "the answer is not sealed");
    client.conn.send_frame(&frame)?;
    closed(&mut client.conn)
}

fn sealed_changed(world: &World) -> Result<()> {
    for offer in sealing_offers() {
        let places = [
            4,
            19,
            20,
            30,
            transform::HEADER_LEN,
            transform::HEADER_LEN + 20,
            transform::HEADER_LEN + 67,
        ];
        for at in places {
            let mut client = sealing(world, &offer)?;
            let mut frame = sealed(&mut client)?;
            frame[at] ^= 1;
            client.conn.send_frame(&frame)?;
            closed(&mut client.conn).with_context(|| format!("byte {at}, {:?}", offer.ciphers))?;
        }
    }
    Ok(())
}

fn sealed_truncated(world: &World) -> Result<()> {
    for len in [36, 51, 52, 53, 100, 115, 119] {
        let mut client = world.protected(Protection::Seal)?;
        let frame = sealed(&mut client)?;
        client.conn.send_frame(&frame[..len])?;
        closed(&mut client.conn).with_context(|| format!("{len} of {} bytes", frame.len()))?;
    }
    for size in [0u32, 1, 67, 69, 0x8000_0000, u32::MAX] {
        let mut client = world.protected(Protection::Seal)?;
        let mut frame = sealed(&mut client)?;
        frame[36..40].copy_from_slice(&size.to_le_bytes());
        client.conn.send_frame(&frame)?;
        closed(&mut client.conn).with_context(|| format!("a message of {size} bytes"))?;
    }
    Ok(())
}

fn sealed_other_session(world: &World) -> Result<()> {
    let other = world.protected(Protection::Seal)?;
    for id in [other.session.id, 0, 1, u64::MAX] {
        let mut client = world.protected(Protection::Seal)?;
        let mut frame = sealed(&mut client)?;
        frame[44..52].copy_from_slice(&id.to_le_bytes());
        client.conn.send_frame(&frame)?;
        closed(&mut client.conn)?;
    }
    Ok(())
}

fn sealed_by_another(world: &World) -> Result<()> {
    let other = world.protected(Protection::Seal)?;
    let mut client = world.protected(Protection::Seal)?;
    client.session.sealing = other.session.sealing.clone();
    let frame = sealed(&mut client)?;
    client.conn.send_frame(&frame)?;
    closed(&mut client.conn)
}

fn answer_as_request(world: &World) -> Result<()> {
    for offer in signing_offers() {
        let mut client = signing(world, offer)?;
        let frame = signed(&mut client)?;
        client.conn.send_frame(&frame)?;
        let mut answer = client.conn.receive()?.to_vec();
        ensure!(
            Header::parse(&answer).is_ok_and(|header| header.has(HeaderFlags::SIGNED)),
            "the answer is not signed"
        );
        // Under an id of its own it would be taken if nothing told the directions apart.
        let next = client.conn.header(Command::Close, 1).message_id();
        answer[24..32].copy_from_slice(&next.to_le_bytes());
        client.conn.send_frame(&answer)?;
        answers(&mut client.conn, DENIED)?;
    }
    Ok(())
}

fn async_request(world: &World) -> Result<()> {
    let mut client = world.client()?;
    for id in [0, 1, u64::MAX] {
        let mut header = client.header(Command::TreeDisconnect, 1);
        header.set_async_id(id);
        client.queue(&header, |w| Empty.write(w))?;
        client.conn.flush()?;
        let answer = client.wait(header.message_id())?;
        ensure!(
            answer.status().is_error(),
            "it was answered {:?}",
            answer.status()
        );
    }
    client.disconnect_tree()?;
    Ok(())
}

fn wrong_tree(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let own = client.tree;
    for tree in [0, own + 1, u32::MAX] {
        client.tree = tree;
        refused(
            client.create(&NewFile::named("nowhere.tmp")),
            &[NtStatus::NETWORK_NAME_DELETED],
        )?;
        refused(client.disconnect_tree(), &[NtStatus::NETWORK_NAME_DELETED])?;
    }
    Ok(())
}

fn wrong_file(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let mut other = Client::connect(&world.as_other(), &Options::default())?;
    let own = client.create(&NewFile::named("own.tmp").temporary())?;
    let foreign = other.create(&NewFile::named("foreign-id.tmp").temporary())?;
    let wrong = [
        foreign,
        FileId::ANY,
        FileId::default(),
        FileId {
            persistent: own.persistent ^ 1,
            ..own
        },
        FileId {
            volatile: own.volatile ^ 1,
            ..own
        },
        FileId {
            persistent: 0,
            ..own
        },
    ];
    for id in wrong {
        refused(client.read(id, 0, 10), &[NtStatus::FILE_CLOSED])?;
        refused(client.write(id, 0, b"x"), &[NtStatus::FILE_CLOSED])?;
        refused(client.close(id), &[NtStatus::FILE_CLOSED])?;
        refused(client.flush(id), &[NtStatus::FILE_CLOSED])?;
    }
    client.close(own)?;
    other.close(foreign)?;
    Ok(())
}

fn negotiation_changed(world: &World) -> Result<()> {
    // A client that hashed another NEGOTIATE than the server has other keys: nothing that it signs is taken.
    let mut conn = world.negotiated()?;
    conn.preauth
        .update::<smb_client::crypto::Software>(&[b"changed"]);
    let mut setup = smb_client::Setup::new(&conn, SetupHeader::default())?;
    setup.first(&mut conn)?;
    match setup.second(&mut conn, &world.target.who) {
        Err(Error::Unprotected(_)) => {}
        Ok(_) => bail!("the keys do not depend on what was negotiated"),
        Err(error) => return Err(error.into()),
    }
    // 3.0.2 asks by a control: another answer than its own offer ends the connection.
    let mut client = world.client_with(&Options {
        protection: Protection::Sign,
        offer: Offer {
            dialects: vec![Dialect::SMB_3_0_2],
            ..Offer::default()
        },
        ..Options::default()
    })?;
    let code = smb_proto::fsctl::Fsctl::VALIDATE_NEGOTIATE_INFO.0;
    match client.control(code, FileId::ANY, &[0x5a; 26], 1024) {
        Err(Error::Closed) => Ok(()),
        other => bail!("a changed negotiation is answered {other:?}"),
    }
}
