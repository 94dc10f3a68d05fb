// SPDX-License-Identifier: GPL-2.0

//! Kerberos logins: the service's keys as configured, and the authentications that take several tokens.
//!
//! Built with the feature `kerberos`, which wants MIT Kerberos' libraries; without it every login is refused.

use std::time::Duration;

use ksmbd_tools::config::Global;
use zeroize::Zeroizing;

#[cfg(feature = "kerberos")]
pub use with::Kerberos;
#[cfg(not(feature = "kerberos"))]
pub use without::Kerberos;

/// What a client's token led to.
#[derive(Debug)]
pub enum Step {
    /// The client has to answer this token.
    Continue(Vec<u8>),
    /// The client is who it says.
    Done(Client),
}

/// A client whose ticket is good.
#[derive(Debug)]
pub struct Client {
    /// Its principal, with the realm.
    pub principal: String,
    /// The principal of the service that the ticket is for, with the realm.
    pub service: String,
    /// The system's user for it by krb5.conf's rules, if they name one.
    pub local_user: Option<String>,
    /// The session key.
    pub key: Zeroizing<Vec<u8>>,
    /// How long the ticket is good; `None` for ever.
    pub lifetime: Option<Duration>,
    /// The last token for the client.
    pub token: Vec<u8>,
}

impl Client {
    /// The account that the client logs in to: its principal without the realm where that is the service's own, as the C daemon
    /// has it. A foreign realm could name whom it likes, so there the administrator's `auth_to_local` rules decide.
    ///
    /// # Errors
    ///
    /// Why there is none, for the administrator.
    pub fn account(&self) -> Result<&str, &'static str> {
        let (name, realm) = split(&self.principal).ok_or("its principal cannot be an account")?;
        let (_, own) = split(&self.service).ok_or("the service has no realm")?;
        if realm == own {
            return Ok(name);
        }
        self.local_user
            .as_deref()
            .ok_or("its realm is not the server's, and no auth_to_local rule names a user for it")
    }
}

/// Name and realm of a principal. One with quoted characters is never an account, nor is an empty name.
fn split(principal: &str) -> Option<(&str, &str)> {
    if principal.contains('\\') {
        return None;
    }
    let (name, realm) = principal.rsplit_once('@')?;
    (!name.is_empty() && !realm.is_empty()).then_some((name, realm))
}

#[cfg(feature = "kerberos")]
mod with {
    use super::*;

    use std::collections::HashMap;
    use std::path::Path;
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::time::Instant;

    use ksmbd_gss::{Context, Credential, Error, Service};

    /// Authentications that wait for a client's next token at a time.
    const MOST_WAITING: usize = 256;
    /// How long one waits.
    const LONGEST: Duration = Duration::from_secs(60);

    /// Accepts Kerberos.
    #[derive(Debug, Default)]
    pub struct Kerberos {
        waiting: Mutex<HashMap<u64, (Instant, Context)>>,
    }

    impl Kerberos {
        /// Whether the program was built with Kerberos.
        pub const IS_BUILT: bool = true;

        /// Tells the administrator at once if nobody will be able to log in.
        pub fn check(&self, global: &Global) {
            if !global.kerberos {
                return;
            }
            match credential(global) {
                Ok(_) => log::info!("Kerberos logins are taken"),
                Err(error) => log::error!("Kerberos logins will be refused: {error}"),
            }
        }

        /// Takes the token of the authentication `conversation`; without one, the token has to be the only one.
        ///
        /// # Errors
        ///
        /// Why the client is refused, for the administrator.
        pub fn step(
            &self,
            global: &Global,
            conversation: Option<u64>,
            token: &[u8],
        ) -> Result<Step, String> {
            let context = conversation.and_then(|id| self.resume(id));
            let step = self
                .keys(global)
                .and_then(|keys| context.unwrap_or_default().step(&keys, token))
                .map_err(|error| error.to_string())?;
            match step {
                ksmbd_gss::Step::Continue(context, token) => {
                    let id = conversation.ok_or(
                        "the client's login needs a second token, for which this module has no way",
                    )?;
                    self.keep(id, context);
                    Ok(Step::Continue(token))
                }
                ksmbd_gss::Step::Done(done) => Ok(Step::Done(Client {
                    principal: done.client,
                    service: done.service,
                    local_user: done.local_user,
                    key: done.key,
                    lifetime: done.lifetime,
                    token: done.token,
                })),
            }
        }

        /// The keys are read for each login: a new keytab counts at once.
        fn keys(&self, global: &Global) -> Result<Credential, Error> {
            credential(global)
        }

        fn waiting(&self) -> MutexGuard<'_, HashMap<u64, (Instant, Context)>> {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn resume(&self, id: u64) -> Option<Context> {
            let (since, context) = self.waiting().remove(&id)?;
            (since.elapsed() < LONGEST).then_some(context)
        }

        fn keep(&self, id: u64, context: Context) {
            let mut waiting = self.waiting();
            waiting.retain(|_, (since, _)| since.elapsed() < LONGEST);
            if waiting.len() >= MOST_WAITING {
                let oldest = waiting.iter().min_by_key(|(_, (since, _))| *since);
                let oldest = oldest.map(|(id, _)| *id);
                oldest.and_then(|id| waiting.remove(&id));
            }
            waiting.insert(id, (Instant::now(), context));
        }
    }

    fn credential(global: &Global) -> Result<Credential, Error> {
        let keytab =
            Some(Path::new(&global.kerberos_keytab)).filter(|path| !path.as_os_str().is_empty());
        Credential::acquire(&service(&global.kerberos_service), keytab)
    }

    /// The service that `kerberos service name` means: `SERVICE[/HOST[@REALM]]`.
    fn service(name: &str) -> Service {
        let name = if name.is_empty() { "cifs" } else { name };
        match name.split_once('/') {
            None => Service::AnyHost(name.to_owned()),
            Some(_) if name.contains('@') => Service::Principal(name.to_owned()),
            Some((service, host)) => Service::Host {
                service: service.to_owned(),
                host: host.to_owned(),
            },
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn service_names_mean_what_the_manual_says() {
            assert_eq!(service(""), Service::AnyHost("cifs".into()));
            assert_eq!(service("smb"), Service::AnyHost("smb".into()));
            let host = Service::Host {
                service: "cifs".into(),
                host: "a.example".into(),
            };
            assert_eq!(service("cifs/a.example"), host);
            assert_eq!(
                service("cifs/a.example@EXAMPLE"),
                Service::Principal("cifs/a.example@EXAMPLE".into())
            );
        }

        #[test]
        fn those_who_wait_are_bounded() {
            let kerberos = Kerberos::default();
            for id in 0..1000 {
                kerberos.keep(id, Context::default());
            }
            assert_eq!(kerberos.waiting().len(), MOST_WAITING);
            assert!(kerberos.resume(999).is_some());
            assert!(kerberos.resume(999).is_none());
            assert!(kerberos.resume(0).is_none());
        }
    }
}

#[cfg(not(feature = "kerberos"))]
mod without {
    use super::*;

    /// Refuses Kerberos.
    #[derive(Debug, Default)]
    pub struct Kerberos(());

    impl Kerberos {
        /// Whether the program was built with Kerberos.
        pub const IS_BUILT: bool = false;

        /// Tells the administrator that `kerberos support` has no effect.
        pub fn check(&self, global: &Global) {
            if global.kerberos {
                log::error!(
                    "`kerberos support = yes` has no effect: ksmbd.mountd was built without Kerberos"
                );
            }
        }

        /// Refuses.
        ///
        /// # Errors
        ///
        /// Always.
        pub fn step(&self, _: &Global, _: Option<u64>, _: &[u8]) -> Result<Step, String> {
            Err("ksmbd.mountd was built without Kerberos".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(principal: &str, local_user: Option<&str>) -> Client {
        Client {
            principal: principal.into(),
            service: "cifs/a.example@EXAMPLE".into(),
            local_user: local_user.map(str::to_owned),
            key: Zeroizing::new(vec![1; 16]),
            lifetime: None,
            token: Vec::new(),
        }
    }

    #[test]
    fn a_principal_of_the_own_realm_is_the_account() {
        assert_eq!(client("alice@EXAMPLE", None).account(), Ok("alice"));
        assert_eq!(
            client("alice/admin@EXAMPLE", Some("root")).account(),
            Ok("alice/admin")
        );
    }

    #[test]
    fn a_foreign_realm_needs_a_rule() {
        assert!(client("root@ELSEWHERE", None).account().is_err());
        assert_eq!(client("bob@ELSEWHERE", Some("bob2")).account(), Ok("bob2"));
        assert!(client("root\\@EXAMPLE@ELSEWHERE", Some("x"))
            .account()
            .is_err());
        assert!(client("@EXAMPLE", None).account().is_err());
        assert!(client("alice", None).account().is_err());
    }
}
