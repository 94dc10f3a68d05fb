// SPDX-License-Identifier: GPL-2.0

//! SESSION_SETUP: tokens that lie, logins out of order, sessions of others. [MS-SMB2] 3.3.5.5, [MS-NLMP] 2.2.1.

use anyhow::{bail, ensure, Context, Result};
use smb_client::crypto::Signer;
use smb_client::{
    Client, Connection, Credentials, Error, NewFile, Options, Protection, Setup, SetupHeader,
};
use smb_proto::der;
use smb_proto::header::{Command, HEADER_LEN};
use smb_proto::negotiate::Dialect;
use smb_proto::negotiate_context::SigningAlgorithm;
use smb_proto::status::NtStatus;
use smb_proto::trivial::Empty;

use crate::cases::cases;
use crate::check::{answers, is_one_of, outcome, refused, Outcome};
use crate::world::{message, World};

const INVALID: &[NtStatus] = &[NtStatus::INVALID_PARAMETER];
const FAILED: &[NtStatus] = &[NtStatus::LOGON_FAILURE, NtStatus::INVALID_PARAMETER];
const GONE: &[NtStatus] = &[NtStatus::USER_SESSION_DELETED];

cases! {
    "setup.token-empty", "no token" => |world| first_token(world, &[], INVALID);
    "setup.token-garbage", "a token that is none" => |world| first_token(world, &[0x41; 300], INVALID);
    "setup.token-place", "a token outside the message, or in its header" => token_place;
    "setup.ntlm-negotiate-truncated", "NTLM's first message cut off at each byte" => negotiate_truncated;
    "setup.ntlm-fields", "fields of NTLM's last message outside of it, and over each other" => ntlm_fields;
    "setup.ntlm-truncated", "NTLM's last message cut off" => ntlm_truncated;
    "setup.ntlm-pairs", "an NTLMv2 response whose pairs run over its end" => ntlm_pairs;
    "setup.ntlm-out-of-order", "NTLM's last message first, its first message twice" => out_of_order;
    "setup.spnego-lengths", "SPNEGO with lengths that lie" => spnego_lengths;
    "setup.spnego-deep", "SPNEGO nested a thousand deep" => spnego_deep;
    "setup.spnego-mechanisms", "SPNEGO with thousands of mechanisms, and none" => spnego_mechanisms;
    "setup.wrong-password", "a wrong password, an empty one, an unknown user" => wrong_password;
    "setup.key-before-proof", "a session whose proof was wrong, with the key that it would have" => key_before_proof;
    "setup.unfinished", "requests on a session whose login is not finished" => unfinished;
    "setup.too-many", "more logins begun on a connection than it may have" => too_many;
    "setup.session-of-another-connection", "the session of another connection, not bound" => foreign_session;
    "setup.bind-unsigned", "a binding that is not signed" => |world| bind_badly(world, Wrong::Unsigned);
    "setup.bind-wrong-key", "a binding signed with another key" => |world| bind_badly(world, Wrong::Key);
    "setup.bind-other-client", "a binding by another client" => |world| bind_badly(world, Wrong::Guid);
    "setup.bind-other-dialect", "a binding with another dialect" => |world| bind_badly(world, Wrong::Dialect);
    "setup.bind-other-user", "a binding by another user" => bind_other_user;
    "setup.bind-unknown", "a binding to a session that is not" => bind_unknown;
    "setup.bind-unfinished", "requests on a binding that is not finished" => bind_unfinished;
    "setup.bind-itself", "a binding of a session to its own connection" => bind_itself;
    "setup.bind-too-many", "more channels than a session may have" => bind_too_many;
    "setup.previous-of-another", "another user's session as the previous one" => previous_of_another;
    "setup.previous-own", "the user's own session as the previous one" => previous_own;
    "setup.reauth-fails", "a session that is not renewed" => reauth_fails;
    "setup.reauth-keeps-keys", "a session that is renewed, unsigned" => reauth_keeps_keys;
}

/// A connection with a login whose challenge came.
fn challenged(world: &World) -> Result<(Connection, Setup)> {
    let mut conn = world.negotiated()?;
    let mut setup = Setup::new(&conn, SetupHeader::default())?;
    setup.first(&mut conn)?;
    Ok((conn, setup))
}

/// An ECHO on a session: whether it lives. ECHO needs none, so a tree connect's end is asked for, which needs one.
fn session_answers(conn: &mut Connection, session: u64, statuses: &[NtStatus]) -> Result<()> {
    let mut header = conn.header(Command::TreeDisconnect, 1);
    header.set_session_id(session);
    conn.send_frame(&message(&header, |w| Empty.write(w))?)?;
    answers(conn, statuses)
}

fn first_token(world: &World, token: &[u8], statuses: &[NtStatus]) -> Result<()> {
    let mut conn = world.negotiated()?;
    let mut setup = Setup::new(&conn, SetupHeader::default())?;
    let (answer, _) = setup.step(&mut conn, token)?;
    ensure!(
        statuses.contains(&answer.status()),
        "answered {:?}, not one of {statuses:?}",
        answer.status()
    );
    // Nothing of it stays: the id in the answer names no session.
    session_answers(&mut conn, answer.session_id(), GONE)
}

fn token_place(world: &World) -> Result<()> {
    for (offset, len) in [
        (0u16, 40u16),
        (1, 40),
        (64, 40),
        (87, 40),
        (88, 0xffff),
        (0xffff, 40),
        (0xffff, 0xffff),
    ] {
        let mut conn = world.negotiated()?;
        let header = conn.header(Command::SessionSetup, 1);
        let mut frame = message(&header, |w| {
            smb_proto::session_setup::Request {
                security_buffer: &[0; 60],
                ..Default::default()
            }
            .write(w)
        })?;
        frame[HEADER_LEN + 12..][..2].copy_from_slice(&offset.to_le_bytes());
        frame[HEADER_LEN + 14..][..2].copy_from_slice(&len.to_le_bytes());
        conn.send_frame(&frame)?;
        answers(&mut conn, INVALID)?;
    }
    Ok(())
}

fn negotiate_truncated(world: &World) -> Result<()> {
    let ntlm = smb_client::Ntlm::begin()?;
    let whole = ntlm.first().to_vec();
    for len in 0..whole.len() {
        let mut conn = world.negotiated()?;
        let mut setup = Setup::new(&conn, SetupHeader::default())?;
        let (answer, _) = setup.step(&mut conn, &whole[..len])?;
        // What the flags do not announce may be missing.
        let enough = answer.status() == NtStatus::MORE_PROCESSING_REQUIRED && len >= 16;
        ensure!(
            enough || INVALID.contains(&answer.status()),
            "{len} of {} bytes: {:?}",
            whole.len(),
            answer.status()
        );
    }
    Ok(())
}

fn authenticate(world: &World, change: impl FnOnce(&mut Vec<u8>)) -> Result<NtStatus> {
    let (mut conn, mut setup) = challenged(world)?;
    let (mut token, _) = setup.authenticate(&world.target.who)?;
    change(&mut token);
    let (answer, _) = setup.step(&mut conn, &token)?;
    if answer.status().is_error() {
        session_answers(&mut conn, setup.header.session_id, GONE)?;
    }
    Ok(answer.status())
}

fn ntlm_fields(world: &World) -> Result<()> {
    for field in 0..6 {
        let at = 12 + field * 8;
        let lies = [
            (0xffffu16, 64u32),
            (16, u32::MAX),
            (16, 0xffff_fff0),
            (16, 0),
            (16, 12),
            (0xffff, u32::MAX),
        ];
        for (len, offset) in lies {
            let status = authenticate(world, |token| {
                token[at..at + 2].copy_from_slice(&len.to_le_bytes());
                token[at + 2..at + 4].copy_from_slice(&len.to_le_bytes());
                token[at + 4..at + 8].copy_from_slice(&offset.to_le_bytes());
            })?;
            ensure!(
                FAILED.contains(&status),
                "field {field} of {len} bytes at {offset}: {status:?}"
            );
        }
    }
    Ok(())
}

fn ntlm_truncated(world: &World) -> Result<()> {
    for len in (0..90).chain([100, 150, 200]) {
        let status = authenticate(world, |token| token.truncate(len))?;
        ensure!(FAILED.contains(&status), "{len} bytes: {status:?}");
    }
    Ok(())
}

fn ntlm_pairs(world: &World) -> Result<()> {
    let (_, setup) = challenged(world)?;
    let (token, _) = setup.authenticate(&world.target.who)?;
    let offset = usize::try_from(u32::from_le_bytes(token[24..28].try_into()?))?;
    // The first pair's length, behind the proof of 16 bytes and 28 of the blob.
    let pair = offset + 16 + 28 + 2;
    for len in [0xffffu16, 0x7fff, 0x200] {
        let status = authenticate(world, |token| {
            token[pair..pair + 2].copy_from_slice(&len.to_le_bytes());
        })?;
        ensure!(
            FAILED.contains(&status),
            "a pair of {len} bytes: {status:?}"
        );
    }
    Ok(())
}

fn out_of_order(world: &World) -> Result<()> {
    let (_, setup) = challenged(world)?;
    let (last, _) = setup.authenticate(&world.target.who)?;
    first_token(world, &last, FAILED)?;
    let (mut conn, mut setup) = challenged(world)?;
    let first = smb_client::Ntlm::begin()?.first().to_vec();
    let (answer, _) = setup.step(&mut conn, &first)?;
    ensure!(
        FAILED.contains(&answer.status()),
        "NTLM's first message twice: {:?}",
        answer.status()
    );
    session_answers(&mut conn, setup.header.session_id, GONE)
}

fn spnego_lengths(world: &World) -> Result<()> {
    let tokens: [&[u8]; 8] = [
        &[der::APPLICATION_0],
        &[der::APPLICATION_0, 0x80],
        &[der::APPLICATION_0, 0x84, 0xff, 0xff, 0xff, 0xff],
        &[der::APPLICATION_0, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        &[der::APPLICATION_0, 0x7f, 6, 6, 0x2b, 6, 1, 5, 5, 2],
        &[der::APPLICATION_0, 10, 6, 0x7f, 0x2b, 6, 1, 5, 5, 2, 0, 0],
        &[0xa1, 0xff],
        &[0xa1, 4, 0x30, 0x82, 0xff, 0xff],
    ];
    tokens
        .iter()
        .try_for_each(|token| first_token(world, token, FAILED))
}

fn spnego_deep(world: &World) -> Result<()> {
    let mut token = Vec::new();
    for _ in 0..1000 {
        token.extend_from_slice(&[0x30, 0x82, 0x0f, 0xff]);
    }
    first_token(world, &token, FAILED)?;
    let mut token = vec![der::APPLICATION_0, 0x82, 0x0f, 0x00];
    token.extend_from_slice(&[0xa0; 3840]);
    first_token(world, &token, FAILED)
}

/// A NegTokenInit with this content of its mechanism list.
fn init(mechs: &[u8]) -> Vec<u8> {
    let wrap = |tag: u8, content: &[u8]| {
        let len = u16::try_from(content.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes();
        [&[tag, 0x82, len[0], len[1]], content].concat()
    };
    let list = wrap(0xa0, &wrap(0x30, mechs));
    let inner = wrap(0xa0, &wrap(0x30, &list));
    let oid = [6, 6, 0x2b, 6, 1, 5, 5, 2];
    wrap(der::APPLICATION_0, &[oid.as_slice(), &inner].concat())
}

fn spnego_mechanisms(world: &World) -> Result<()> {
    first_token(world, &init(&[]), FAILED)?;
    let many: Vec<u8> = [6, 3, 1, 2, 3].repeat(2400);
    first_token(world, &init(&many), FAILED)?;
    // One OID that claims more than the list has.
    first_token(world, &init(&[6, 0x7f, 1, 2]), FAILED)
}

fn wrong_password(world: &World) -> Result<()> {
    let user = &world.target.who.user;
    let wrong = [
        Credentials::new(user, "wrong"),
        Credentials::new(user, ""),
        Credentials::new("nosuchuser", "wrong"),
        Credentials::new("", "wrong"),
        Credentials::new(&"u".repeat(300), "wrong"),
    ];
    for who in wrong {
        let (mut conn, mut setup) = challenged(world)?;
        refused(setup.second(&mut conn, &who), FAILED)
            .with_context(|| format!("as '{}'", who.user))?;
        session_answers(&mut conn, setup.header.session_id, GONE)?;
    }
    Ok(())
}

fn key_before_proof(world: &World) -> Result<()> {
    let (mut conn, mut setup) = challenged(world)?;
    let who = Credentials::new(&world.target.who.user, "wrong");
    let (token, key) = setup.authenticate(&who)?;
    let (answer, _) = setup.step(&mut conn, &token)?;
    ensure!(
        answer.status() == NtStatus::LOGON_FAILURE,
        "a wrong proof: {:?}",
        answer.status()
    );
    let signer = Signer::new(SigningAlgorithm::AES_CMAC, &key);
    let mut header = conn.header(Command::TreeConnect, 1);
    header.set_session_id(setup.header.session_id);
    header.set_flags(smb_proto::header::HeaderFlags::SIGNED);
    let mut frame = message(&header, |w| w.zeros(40))?;
    signer.sign(&mut frame);
    conn.send_frame(&frame)?;
    answers(&mut conn, GONE)
}

fn unfinished(world: &World) -> Result<()> {
    let (mut conn, mut setup) = challenged(world)?;
    let id = setup.header.session_id;
    for command in [
        Command::TreeConnect,
        Command::Logoff,
        Command::Create,
        Command::Ioctl,
    ] {
        let mut header = conn.header(command, 1);
        header.set_session_id(id);
        conn.send_frame(&message(&header, |w| w.zeros(64))?)?;
        answers(
            &mut conn,
            &[NtStatus::USER_SESSION_DELETED, NtStatus::ACCESS_DENIED],
        )?;
    }
    // The login itself is not disturbed.
    setup.second(&mut conn, &world.target.who)?;
    Ok(())
}

fn too_many(world: &World) -> Result<()> {
    let mut conn = world.negotiated()?;
    let mut begun = 0;
    for _ in 0..20 {
        let mut setup = Setup::new(&conn, SetupHeader::default())?;
        match setup.first(&mut conn) {
            Ok(()) => begun += 1,
            Err(Error::Status(NtStatus::REQUEST_NOT_ACCEPTED)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    ensure!(
        begun <= 8,
        "{begun} logins may be begun before one succeeds"
    );
    Ok(())
}

fn foreign_session(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let file = client.create(&NewFile::named("foreign.tmp").temporary())?;
    let mut conn = world.negotiated()?;
    session_answers(&mut conn, client.session.id, GONE)?;
    // Nor by a connection with a session of its own.
    let mut thief = world.client()?;
    thief.session.id = client.session.id;
    thief.tree = client.tree;
    refused(thief.read(file, 0, 10), GONE)?;
    client.close(file)?;
    Ok(())
}

enum Wrong {
    Unsigned,
    Key,
    Guid,
    Dialect,
}

fn bind_badly(world: &World, wrong: Wrong) -> Result<()> {
    let options = Options::default();
    let mut first = world.client_with(&options)?;
    let mut offer = options.offer.clone();
    match wrong {
        Wrong::Guid => offer.guid = rand::random(),
        Wrong::Dialect => offer.dialects = vec![Dialect::SMB_3_0],
        Wrong::Unsigned | Wrong::Key => {}
    }
    let mut conn = world.connection()?;
    conn.negotiate(&offer)?;
    let mut setup = Setup::new(&conn, bound(first.session.id))?;
    setup.signer = match wrong {
        Wrong::Unsigned => None,
        Wrong::Key => Some(Signer::new(SigningAlgorithm::AES_CMAC, &[7; 16])),
        Wrong::Guid | Wrong::Dialect => first.session.signer.clone(),
    };
    refused(
        setup.first(&mut conn),
        &[
            NtStatus::ACCESS_DENIED,
            NtStatus::INVALID_PARAMETER,
            NtStatus::USER_SESSION_DELETED,
        ],
    )?;
    session_answers(&mut conn, first.session.id, GONE)?;
    first.disconnect_tree()?;
    Ok(())
}

fn bound(session_id: u64) -> SetupHeader {
    SetupHeader {
        session_id,
        bind: true,
        ..SetupHeader::default()
    }
}

fn bind_other_user(world: &World) -> Result<()> {
    let options = Options::default();
    let mut first = world.client_with(&options)?;
    refused(
        Client::bind(&world.as_other(), &options, &first),
        &[NtStatus::ACCESS_DENIED],
    )?;
    first.disconnect_tree()?;
    Ok(())
}

fn bind_unknown(world: &World) -> Result<()> {
    for id in [1, 0x1234_5678, u64::MAX] {
        let mut conn = world.negotiated()?;
        let mut setup = Setup::new(&conn, bound(id))?;
        setup.signer = Some(Signer::new(SigningAlgorithm::AES_CMAC, &[7; 16]));
        refused(setup.first(&mut conn), GONE)?;
    }
    Ok(())
}

fn bind_unfinished(world: &World) -> Result<()> {
    let options = Options::default();
    let mut first = world.client_with(&options)?;
    let file = first.create(&NewFile::named("unfinished.tmp").temporary())?;
    let mut conn = world.connection()?;
    conn.negotiate(&options.offer)?;
    let mut setup = Setup::new(&conn, bound(first.session.id))?;
    setup.signer = first.session.signer.clone();
    setup.first(&mut conn)?;
    session_answers(&mut conn, first.session.id, GONE)?;
    let mut thief = Client::on(conn, first.session.clone(), Protection::Sign);
    thief.tree = first.tree;
    refused(thief.read(file, 0, 10), GONE)?;
    // The session ends while the binding is under way.
    first.log_off()?;
    let answer = setup.second(&mut thief.conn, &world.target.who);
    refused(
        answer,
        &[NtStatus::USER_SESSION_DELETED, NtStatus::ACCESS_DENIED],
    )
}

fn bind_itself(world: &World) -> Result<()> {
    let mut client = world.client()?;
    let mut setup = Setup::new(&client.conn, bound(client.session.id))?;
    setup.signer = client.session.signer.clone();
    refused(
        setup.first(&mut client.conn),
        &[NtStatus::REQUEST_NOT_ACCEPTED],
    )
}

fn bind_too_many(world: &World) -> Result<()> {
    let options = Options {
        room: 1 << 16,
        ..Options::default()
    };
    let mut first = world.client_with(&options)?;
    let mut channels = Vec::new();
    for _ in 0..40 {
        match Client::bind(&world.target, &options, &first) {
            Ok(channel) => channels.push(channel),
            Err(Error::Status(NtStatus::INSUFFICIENT_RESOURCES)) => {}
            Err(error) => bail!("channel {}: {error}", channels.len() + 2),
        }
    }
    ensure!(
        channels.len() == 31,
        "{} channels besides the first",
        channels.len()
    );
    for channel in &mut channels {
        let file = channel.create(&NewFile::named("channels.tmp").temporary())?;
        channel.close(file)?;
    }
    first.disconnect_tree()?;
    Ok(())
}

fn previous(id: u64) -> SetupHeader {
    SetupHeader {
        previous: id,
        ..SetupHeader::default()
    }
}

fn previous_of_another(world: &World) -> Result<()> {
    let mut victim = world.client()?;
    let header = previous(victim.session.id);
    let thief = Client::log_in(&world.as_other(), &Options::default(), header)?;
    victim.disconnect_tree()?;
    drop(thief);
    Ok(())
}

fn previous_own(world: &World) -> Result<()> {
    let mut old = world.client()?;
    old.create(&NewFile::named("previous.tmp").temporary())?;
    let header = previous(old.session.id);
    let mut new = Client::log_in(&world.target, &Options::default(), header)?;
    refused(old.disconnect_tree(), GONE)?;
    new.connect_tree(&world.target.share)?;
    // Its file is closed, and so deleted.
    let mut again = NewFile::named("previous.tmp");
    again.disposition = smb_proto::create::Disposition::OPEN;
    refused(new.create(&again), &[NtStatus::OBJECT_NAME_NOT_FOUND])
}

fn reauth(client: &mut Client) -> Result<Setup> {
    let header = SetupHeader {
        session_id: client.session.id,
        ..SetupHeader::default()
    };
    let mut setup = Setup::new(&client.conn, header)?;
    setup.first(&mut client.conn)?;
    Ok(setup)
}

fn reauth_fails(world: &World) -> Result<()> {
    let mut client = world.client()?;
    client.create(&NewFile::named("reauth.tmp").temporary())?;
    let mut setup = reauth(&mut client)?;
    let wrong = Credentials::new(&world.target.who.user, "wrong");
    let (token, _) = setup.authenticate(&wrong)?;
    let (answer, _) = setup.step(&mut client.conn, &token)?;
    ensure!(
        answer.status() == NtStatus::LOGON_FAILURE,
        "answered {:?}",
        answer.status()
    );
    let id = client.session.id;
    session_answers(&mut client.conn, id, GONE)
}

fn reauth_keeps_keys(world: &World) -> Result<()> {
    let mut client = world.protected(Protection::Sign)?;
    let file = client.create(&NewFile::named("renewed.tmp").temporary())?;
    let mut setup = reauth(&mut client)?;
    let (token, _) = setup.authenticate(&world.target.who)?;
    setup.send(&mut client.conn, &token)?;
    // Signed with the keys that the session has, not with those of the renewal.
    match outcome(&mut client.conn)? {
        Outcome::Answered(NtStatus::SUCCESS) => {}
        other => bail!("the renewal: {other:?}"),
    }
    let answer = client.call(Command::Echo, 1, |w| Empty.write(w))?;
    is_one_of(&answer, &[NtStatus::SUCCESS])?;
    client.write(file, 0, b"renewed")?;
    client.close(file)?;
    Ok(())
}
