// SPDX-License-Identifier: GPL-2.0

//! SESSION_SETUP, [MS-SMB2] 3.3.5.5: a new session, the next step of one, reauthentication, or binding to a further
//! connection.

use kernel::prelude::*;
use kernel::sync::Arc;

use smb_model::negotiate::{Capabilities, Dialect, Signing};
use smb_proto::header::HeaderFlags;
use smb_proto::session_setup::{Reply as Answer, Request, RequestFlags, SessionFlags};
use smb_proto::status::NtStatus;

use crate::server::config::Encryption;
use crate::session::exchange::{Exchange, Login, Progress};
use crate::session::keys::Material;
use crate::session::{Binding, Channel, Session, SessionState, User};

use super::context::{extend_hash, Context, Handled, HashInto, Stop};
use super::reply::Reply;
use super::wait::{Resume, Wake, Waker};

/// Sessions that a connection may have begun before anybody logged in on it.
const MAX_UNAUTHENTICATED: u32 = 8;
/// How long the refusal of a login is held back when the daemon says that the account had too many, ms.
const DELAY_MS: u64 = 5_000;

/// Takes one step of an authentication.
pub(super) fn serve(cx: &mut Context<'_>, reply: &mut Reply) -> Handled {
    let request = Request::parse(cx.pdu)?;
    let channel = channel_of(cx, &request)?;
    cx.reply_session_id = channel.session.id;
    let mut is_guessing = false;
    let outcome = step(cx, &request, &channel, reply, &mut is_guessing);
    match outcome {
        Err(Stop::Failed(status)) => {
            abandon(cx, &channel);
            Err(if is_guessing {
                delay(cx, &channel, status)
            } else {
                Stop::Failed(status)
            })
        }
        outcome => outcome,
    }
}

/// Holds the refusal of a login back. While it waits, no worker is held; and CANCEL does not end the wait, or guessing would cost nothing.
fn delay(cx: &mut Context<'_>, channel: &Channel, status: NtStatus) -> Stop {
    debug!(
        cx.server(),
        Auth, "{}: too many wrong passwords\n", cx.conn.peer
    );
    let waker = Waker::uncancellable(cx.conn);
    let (Ok(refused), Ok(waker)) = (KBox::new(Refused(status), GFP_KERNEL), waker) else {
        return Stop::Failed(status);
    };
    cx.related.session_id = channel.session.id;
    cx.server().delays.wake_in(DELAY_MS, &waker);
    Stop::Wait(waker, refused)
}

/// A login that was refused, which its client is not told yet.
struct Refused(NtStatus);

impl Resume for Refused {
    fn resume(&mut self, wake: Wake, _: &mut Context<'_>, _: &mut Reply) -> Handled {
        match wake {
            Wake::Ready => Err(self.0.into()),
            // It may not wait, since too much does already, or the connection ends.
            Wake::Ended(_) => Err(Stop::Disconnect),
        }
    }
}

/// The session that the request is about, on this connection.
fn channel_of(cx: &mut Context<'_>, request: &Request<'_>) -> Result<Arc<Channel>, Stop> {
    let id = cx.header.session_id();
    if id == 0 {
        return begin(cx);
    }
    if let Some(channel) = cx.conn.channels.get(id) {
        if request.flags.contains(RequestFlags::BINDING)
            && channel.session.state() != SessionState::InProgress
            && !channel.is_binding()
        {
            return Err(Stop::Failed(NtStatus::REQUEST_NOT_ACCEPTED));
        }
        verify(cx, &channel)?;
        return Ok(channel);
    }
    if request.flags.contains(RequestFlags::BINDING) {
        return bind(cx, id);
    }
    Err(cx.no_such_session(id))
}

/// Checks the signature of a step on a session that has keys.
fn verify(cx: &mut Context<'_>, channel: &Arc<Channel>) -> Result<(), Stop> {
    if channel.is_binding() {
        // Every step of a binding is signed with the key of the session.
        return cx.verify_stranger(&channel.session).map(drop);
    }
    match cx.sealed_by {
        Some(id) if id == channel.session.id => return Ok(()),
        // One session's keys say nothing for another.
        Some(_) => return Err(Stop::Failed(NtStatus::ACCESS_DENIED)),
        None => {}
    }
    if !cx.header.has(HeaderFlags::SIGNED) {
        let session = &channel.session;
        let must_prove = session.must_sign() || session.must_encrypt();
        let may = !channel.has_key() || !must_prove;
        return may
            .then_some(())
            .ok_or(Stop::Failed(NtStatus::ACCESS_DENIED));
    }
    if !channel.has_key() {
        return Ok(());
    }
    if !channel.verify(cx.pdu) {
        return Err(Stop::Failed(NtStatus::ACCESS_DENIED));
    }
    cx.channel = Some(channel.clone());
    Ok(())
}

/// Begins a new session.
fn begin(cx: &Context<'_>) -> Result<Arc<Channel>, Stop> {
    let negotiated = cx.negotiated()?;
    let (dialect, guid) = (negotiated.dialect, negotiated.offer.guid);
    let server = cx.server();
    if must_seal(cx) && negotiated.cipher.is_none() {
        debug!(server, Auth, "{}: cannot encrypt\n", cx.conn.peer);
        return Err(Stop::Failed(NtStatus::ACCESS_DENIED));
    }
    let session = server.sessions.create(dialect, guid)?;
    let limit = if cx.conn.is_authenticated() {
        server.config().max_sessions_per_connection
    } else {
        MAX_UNAUTHENTICATED
    };
    let listed = Channel::new(session.clone(), false).and_then(|channel| {
        session.join(cx.conn).map_err(|_| ENOMEM)?;
        cx.conn.channels.insert(&channel, limit)?;
        Ok(channel)
    });
    listed.map_err(|_| {
        session.end(server);
        Stop::Failed(NtStatus::REQUEST_NOT_ACCEPTED)
    })
}

/// Begins to bind an existing session to this connection, [MS-SMB2] 3.3.5.5.2.
fn bind(cx: &mut Context<'_>, id: u64) -> Result<Arc<Channel>, Stop> {
    let session = cx.server().sessions.get(id);
    let verified = session.as_ref().map(|session| cx.verify_stranger(session));
    let negotiated = cx.negotiated()?;
    if let Some(first) = session.as_ref().and_then(|session| session.binding()) {
        check_signing(first.signing, negotiated.signing)?;
    }
    let has_channels = negotiated
        .capabilities
        .contains(Capabilities::MULTI_CHANNEL);
    if !negotiated.dialect.is_3() || !has_channels {
        return Err(Stop::Failed(NtStatus::REQUEST_NOT_ACCEPTED));
    }
    let session = session.ok_or(NtStatus::USER_SESSION_DELETED)?;
    let cipher = session.binding().and_then(|first| first.cipher);
    if session.dialect != negotiated.dialect || cipher != negotiated.cipher {
        return Err(Stop::Failed(NtStatus::INVALID_PARAMETER));
    }
    session.check_usable()?;
    let user = session.user().ok_or(NtStatus::USER_SESSION_DELETED)?;
    if user.is_guest || user.is_anonymous {
        return Err(Stop::Failed(NtStatus::NOT_SUPPORTED));
    }
    let channel = verified.ok_or(NtStatus::USER_SESSION_DELETED)??;
    if session.client_guid != negotiated.offer.guid {
        return Err(Stop::Failed(NtStatus::USER_SESSION_DELETED));
    }
    let limit = cx.server().config().max_sessions_per_connection;
    cx.conn
        .channels
        .insert(&channel, limit)
        .map_err(|error| match error {
            // Another binding of it was begun here meanwhile.
            EEXIST => NtStatus::REQUEST_NOT_ACCEPTED,
            _ => NtStatus::INSUFFICIENT_RESOURCES,
        })?;
    Ok(channel)
}

/// Checks that the connections' algorithms of signing go together. As on Windows, one may stand for another unless either is AES-GMAC.
fn check_signing(first: Signing, here: Signing) -> Result<(), NtStatus> {
    match (first, here) {
        (Signing::AesGmac, Signing::AesGmac) => Ok(()),
        (Signing::AesGmac, _) => Err(NtStatus::REQUEST_OUT_OF_SEQUENCE),
        (_, Signing::AesGmac) => Err(NtStatus::NOT_SUPPORTED),
        _ => Ok(()),
    }
}

fn step(
    cx: &mut Context<'_>,
    request: &Request<'_>,
    channel: &Arc<Channel>,
    reply: &mut Reply,
    is_guessing: &mut bool,
) -> Handled {
    let is_311 = cx.negotiated()?.dialect == Dialect::V3_1_1;
    let mut turn = channel.exchange.lock();
    let mut exchange = match turn.take() {
        Some(exchange) => exchange,
        None => {
            let exchange = Exchange::new(cx.conn.preauth_hash(), cx.conn.peer.as_str());
            KBox::new(exchange, GFP_KERNEL)?
        }
    };
    if is_311 {
        exchange.preauth = extend_hash(&exchange.preauth, cx.pdu);
    }
    let progress = exchange.advance(cx.server(), request.security_buffer);
    *is_guessing = exchange.is_guessing;
    if let Some((name, why)) = exchange.refused.take() {
        let refusals = &cx.server().refusals;
        refusals.login(&cx.conn.peer, name.bytes(), why);
    }
    match progress? {
        Progress::Continue(token) => {
            *turn = Some(exchange);
            let answer = Answer {
                flags: SessionFlags::default(),
                security_buffer: &token,
            };
            reply.body(token.len().saturating_add(16), |w| answer.write(w))?;
            if is_311 {
                cx.hash_response = Some(HashInto::Exchange(channel.clone()));
            }
            Ok(NtStatus::MORE_PROCESSING_REQUIRED)
        }
        Progress::Done(login) => {
            drop(turn);
            finish(cx, request, channel, login, &exchange.preauth, reply)
        }
    }
}

/// Tells the administrator why somebody without a key is refused.
fn note_guest(cx: &Context<'_>, user: &User, why: &str) {
    let name = user.account.name;
    let refusals = &cx.server().refusals;
    refusals.login(&cx.conn.peer, name.bytes(), why);
}

/// Gives the session its user and keys.
fn finish(
    cx: &mut Context<'_>,
    request: &Request<'_>,
    channel: &Arc<Channel>,
    login: KBox<Login>,
    preauth: &[u8; 64],
    reply: &mut Reply,
) -> Handled {
    let session = &channel.session;
    let Login {
        account,
        is_anonymous,
        is_guest,
        key,
        token,
    } = KBox::into_inner(login);
    let user = User::new(account, is_guest, is_anonymous)?;
    if channel.is_binding() {
        check_same_user(session, &user)?;
    }
    if key.is_none() && must_sign(cx, request, true)? && !is_anonymous {
        note_guest(
            cx,
            &user,
            "a guest cannot sign, and must (`server signing`)",
        );
        return Err(Stop::Failed(NtStatus::ACCESS_DENIED));
    }
    let key_is_missing = key.is_none();
    if let Some(key) = &key {
        let material = Material {
            dialect: session.dialect,
            full_key: key.expose(),
            preauth,
        };
        give_keys(cx, request, channel, &material)?;
    }
    if must_seal(cx) && session.sealing().is_none() {
        note_guest(
            cx,
            &user,
            "who has no key cannot encrypt, and must (`smb3 encryption`)",
        );
        return Err(Stop::Failed(NtStatus::ACCESS_DENIED));
    }
    if channel.is_binding() {
        session.join(cx.conn)?;
        user.log_out(cx.server());
        if !channel.set_bound() {
            // Another step failed meanwhile, and took the channel off the connection, whose end would not find it.
            session.leave(cx.conn, cx.server());
            return Err(Stop::Failed(NtStatus::USER_SESSION_DELETED));
        }
    } else {
        session.log_in(user.clone(), cx.server());
        end_previous(cx, request, session, &user);
    }
    // A session that was ended meanwhile must not live on here.
    session.check_usable()?;
    cx.conn.set_authenticated(key_is_missing);
    let mut flags = SessionFlags::default();
    if is_anonymous {
        flags |= SessionFlags::IS_NULL;
    } else if is_guest {
        flags |= SessionFlags::IS_GUEST;
    }
    if session.must_encrypt() {
        flags |= SessionFlags::ENCRYPT_DATA;
    }
    if channel.can_sign() {
        cx.sign_with = Some(channel.clone());
    }
    let answer = Answer {
        flags,
        security_buffer: &token,
    };
    reply.body(token.len().saturating_add(16), |w| answer.write(w))?;
    Ok(NtStatus::SUCCESS)
}

/// Binding is for the session's own user; reauthentication may bring another, who is then the session's, as on Windows.
fn check_same_user(session: &Session, user: &User) -> Result<(), NtStatus> {
    match session.user() {
        Some(current) if !current.is_same(user) => Err(NtStatus::ACCESS_DENIED),
        _ => Ok(()),
    }
}

/// Whether the session will have to be signed.
fn must_sign(cx: &Context<'_>, request: &Request<'_>, has_key: bool) -> Result<bool, Stop> {
    let policy = cx.server().config().signing;
    Ok(policy.session_must_sign(request.security_mode.bits(), has_key))
}

/// Whether what is not encrypted is refused, `RejectUnencryptedAccess` of [MS-SMB2] 3.3.5.5.
fn must_seal(cx: &Context<'_>) -> bool {
    cx.server().config().encryption == Encryption::Required
}

/// Keys are made once: reauthentication keeps them, binding makes a signing key for the channel alone.
fn give_keys(
    cx: &Context<'_>,
    request: &Request<'_>,
    channel: &Channel,
    material: &Material<'_>,
) -> Result<(), Stop> {
    let negotiated = cx.negotiated()?;
    let session = &channel.session;
    if channel.has_key() {
        return Ok(());
    }
    // A channel's key comes of its own authentication, also where it is bound to an older session.
    channel.set_signer(material.signer(negotiated.signing)?);
    if channel.is_binding() {
        return Ok(());
    }
    session.set_binding(Binding {
        signer: material.signer(negotiated.signing)?,
        signing: negotiated.signing,
        cipher: negotiated.cipher,
    });
    if must_sign(cx, request, true)? {
        session.require_signing();
    }
    if let Some(cipher) = negotiated.cipher {
        session.set_sealing(material.sealing(cipher)?);
        if must_seal(cx) {
            session.require_encryption();
        }
    }
    Ok(())
}

/// Ends the session that the client says it lost, if it was the same user's.
fn end_previous(cx: &Context<'_>, request: &Request<'_>, session: &Session, user: &User) {
    let id = request.previous_session_id;
    if id == 0 || id == session.id {
        return;
    }
    if let Some(previous) = cx.server().sessions.get(id) {
        if previous.user().is_some_and(|owner| owner.is_same(user)) {
            previous.end(cx.server());
        }
    }
}

/// Undoes what a failed step began; a session that could not be renewed ends, [MS-SMB2] 3.3.5.5.3.
fn abandon(cx: &Context<'_>, channel: &Arc<Channel>) {
    let _exchange = channel.exchange.lock().take();
    if channel.give_up() {
        cx.conn.channels.remove_this(channel);
    } else {
        channel.session.end(cx.server());
    }
}
