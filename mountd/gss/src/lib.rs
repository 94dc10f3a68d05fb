// SPDX-License-Identifier: GPL-2.0

//! A Kerberos acceptor: as much of MIT Kerberos' GSS-API (RFC 2743, RFC 4121) as an SMB server needs, behind safe types.
//!
//! A [`Credential`] is the service's keys, from a keytab. A [`Context`] takes the client's tokens, in SPNEGO (RFC 4178) or
//! plain Kerberos, and ends as an [`Established`]: who the client is, the session key and how long the ticket lasts.
//! The library is thread-safe; a context belongs to one thread at a time.

mod error;
mod raw;

use std::ffi::CString;
use std::path::Path;
use std::ptr;
use std::time::Duration;

use libgssapi_sys as sys;
use zeroize::Zeroizing;

pub use error::Error;
use raw::{Buffer, BufferSet, Name, OidSet};

/// The service whose keys are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// The keys of this service on any host name that the keytab has: the keytab says what the server is called.
    AnyHost(String),
    /// The keys of `service/host` in whatever realm the keytab has them.
    Host {
        /// The first component, such as `cifs`.
        service: String,
        /// The host's name.
        host: String,
    },
    /// The keys of exactly this principal, with its realm.
    Principal(String),
}

/// Keys to accept Kerberos with.
#[derive(Debug)]
pub struct Credential(sys::gss_cred_id_t);

// SAFETY: a credential is not bound to the thread that made it, and the library locks what it changes in it.
unsafe impl Send for Credential {}

impl Credential {
    /// The keys of `service` in `keytab`, or in the system's keytab.
    ///
    /// # Errors
    ///
    /// [`Error`], with the library's words: no keytab, no such key in it, or a name that cannot be read.
    pub fn acquire(service: &Service, keytab: Option<&Path>) -> Result<Self, Error> {
        let name = Name::of(service)?;
        let keytab = keytab.map(keytab_name).transpose()?;
        let mut element = sys::gss_key_value_element_desc {
            key: c"keytab".as_ptr(),
            value: keytab.as_ref().map_or(ptr::null(), |name| name.as_ptr()),
        };
        let store = sys::gss_key_value_set_desc {
            count: 1,
            elements: &mut element,
        };
        let mut mechs = OidSet::new(&[raw::KRB5, raw::SPNEGO]);
        let mut minor = 0;
        let mut credential = ptr::null_mut();
        // SAFETY: every pointer is null or to a value that outlives the call; the library only reads them but for
        // `credential` and `minor`, which are places for its results.
        let major = unsafe {
            sys::gss_acquire_cred_from(
                &mut minor,
                name.as_raw(),
                raw::INDEFINITE,
                mechs.as_raw(),
                raw::ACCEPT,
                if keytab.is_some() {
                    &store
                } else {
                    ptr::null()
                },
                &mut credential,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        // Owned before anything can fail, so that it is released.
        let credential = Credential(credential);
        Error::check("acquiring the service's keys", major, minor)?;
        let mut only = OidSet::new(&[raw::KRB5]);
        // SAFETY: the credential was just made; the set is read during the call alone.
        let major = unsafe { sys::gss_set_neg_mechs(&mut minor, credential.0, only.as_raw()) };
        Error::check("limiting SPNEGO to Kerberos", major, minor)?;
        Ok(credential)
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the handle is null or this credential's own, and is not used afterwards.
        unsafe { sys::gss_release_cred(&mut minor, &mut self.0) };
    }
}

fn keytab_name(path: &Path) -> Result<CString, Error> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::invalid("the keytab's name contains a NUL"))
}

/// An authentication under way.
#[derive(Debug)]
pub struct Context(sys::gss_ctx_id_t);

// SAFETY: a context is not bound to the thread that made it; `&mut self` keeps two threads from using it at once.
unsafe impl Send for Context {}

/// What a token led to.
#[derive(Debug)]
pub enum Step {
    /// The client has to answer this token.
    Continue(Context, Vec<u8>),
    /// The client is authenticated.
    Done(Established),
}

/// A finished authentication.
#[derive(Debug)]
pub struct Established {
    /// The last token for the client; may be empty.
    pub token: Vec<u8>,
    /// The client's principal, with its realm.
    pub client: String,
    /// The principal that the client asked for, with its realm.
    pub service: String,
    /// The system's user for the client, by the rules in krb5.conf (`auth_to_local`); `None` if they name none.
    pub local_user: Option<String>,
    /// The session key, with all its bytes.
    pub key: Zeroizing<Vec<u8>>,
    /// How long the ticket is good, with the clock skew that the library allows; `None` for ever.
    pub lifetime: Option<Duration>,
}

impl Default for Context {
    fn default() -> Self {
        Context(ptr::null_mut())
    }
}

impl Context {
    /// Takes the client's next token.
    ///
    /// # Errors
    ///
    /// [`Error`]: the token is not Kerberos, is not for this service, has expired, was seen before, ...
    pub fn step(mut self, credential: &Credential, token: &[u8]) -> Result<Step, Error> {
        let mut input = raw::borrowed(token);
        let mut output = Buffer::empty();
        let mut minor = 0;
        // SAFETY: the handles are null or made by the library and exclusively ours; `input` borrows `token` for the call, in
        // which the library only reads it; the other pointers are places for results or null where none is wanted.
        let major = unsafe {
            sys::gss_accept_sec_context(
                &mut minor,
                &mut self.0,
                credential.0,
                &mut input,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                output.as_raw(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        Error::check("taking the client's token", major, minor)?;
        let token = output.bytes().to_vec();
        if major & raw::CONTINUE_NEEDED != 0 {
            return Ok(Step::Continue(self, token));
        }
        self.established(token).map(Step::Done)
    }

    fn established(&self, token: Vec<u8>) -> Result<Established, Error> {
        let (mut client, mut service) = (Name::none(), Name::none());
        let (mut lifetime, mut flags, mut minor) = (0, 0, 0);
        // SAFETY: the context is established; the other pointers are places for results, or null where none is wanted.
        let major = unsafe {
            sys::gss_inquire_context(
                &mut minor,
                self.0,
                client.place(),
                service.place(),
                &mut lifetime,
                ptr::null_mut(),
                &mut flags,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        Error::check("asking who the client is", major, minor)?;
        if flags & raw::ANONYMOUS != 0 {
            return Err(Error::invalid("the ticket is anonymous"));
        }
        Ok(Established {
            token,
            client: client.display()?,
            service: service.display()?,
            local_user: client.local_user(),
            key: self.session_key()?,
            lifetime: (lifetime != raw::INDEFINITE)
                .then(|| Duration::from_secs(u64::from(lifetime))),
        })
    }

    /// The key of the established context: the acceptor's subkey if there is one, else the initiator's.
    fn session_key(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut set = BufferSet::empty();
        let mut oid = raw::oid(raw::SESSION_KEY);
        let mut minor = 0;
        // SAFETY: the context is established; `oid` is read during the call, `set` takes the result.
        let major = unsafe {
            sys::gss_inquire_sec_context_by_oid(&mut minor, self.0, &mut oid, set.place())
        };
        Error::check("asking for the session key", major, minor)?;
        match set.first() {
            Some(key) if !key.is_empty() => Ok(Zeroizing::new(key.to_vec())),
            _ => Err(Error::invalid("the library gave no session key")),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the handle is null or this context's own, and is not used afterwards.
        unsafe { sys::gss_delete_sec_context(&mut minor, &mut self.0, ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_keytab_is_named() {
        let service = Service::AnyHost("cifs".into());
        let error = Credential::acquire(&service, Some(Path::new("/nonexistent/keytab")))
            .expect_err("there are no keys");
        assert!(error.to_string().contains("acquiring"), "{error}");
    }

    #[test]
    fn names_with_a_nul_are_refused() {
        let service = Service::AnyHost("cifs".into());
        assert!(Credential::acquire(&service, Some(Path::new("a\0b"))).is_err());
    }
}
