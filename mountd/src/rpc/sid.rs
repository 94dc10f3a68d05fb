// SPDX-License-Identifier: GPL-2.0

//! Security identifiers, [MS-DTYP] 2.4.2, and whom they stand for here.
//!
//! A user's SID is the server's domain and his uid as the last part, as the module has it in security descriptors; the
//! Unix ids have SIDs of their own, S-1-22-1 and S-1-22-2.

use std::fmt;

use ksmbd_tools::subauth::SubAuth;
use nix::unistd::{Gid, Group, Uid, User};

use super::ndr::{Align, BadStub, Decode, Decoded, Decoder, Encode, Encoder, Syntax};

/// Most parts of a SID.
const MOST_PARTS: usize = 15;

/// A SID of revision 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sid {
    /// The authority, of 48 bits.
    pub authority: u64,
    /// The parts after it.
    pub parts: Vec<u32>,
}

impl Sid {
    /// The SID `S-1-authority-parts…`.
    pub fn new(authority: u64, parts: &[u32]) -> Self {
        Sid {
            authority,
            parts: parts.to_vec(),
        }
    }

    /// The server's own domain.
    pub fn domain(sub_auth: SubAuth) -> Self {
        let [a, b, c] = sub_auth;
        Sid::new(5, &[21, a, b, c])
    }

    /// This SID with one more part.
    pub fn child(&self, part: u32) -> Self {
        let mut parts = self.parts.clone();
        parts.push(part);
        Sid {
            authority: self.authority,
            parts,
        }
    }

    /// The SID without its last part, and that part.
    pub fn split(&self) -> Option<(Sid, u32)> {
        let (last, parts) = self.parts.split_last()?;
        Some((Sid::new(self.authority, parts), *last))
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-1-{}", self.authority)?;
        self.parts.iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

/// `RPC_SID`: a conformant structure, whose count stands before it.
impl Align for Sid {
    fn alignment(syntax: Syntax) -> usize {
        syntax.word()
    }
}

impl Encode for Sid {
    fn put(&self, e: &mut Encoder) {
        e.word(self.parts.len());
        e.bytes(&[1, u8::try_from(self.parts.len()).unwrap_or(0)]);
        let [_, _, authority @ ..] = self.authority.to_be_bytes();
        e.bytes(&authority);
        self.parts.iter().for_each(|part| part.put(e));
    }
}

impl Decode for Sid {
    fn get(d: &mut Decoder<'_>) -> Decoded<Self> {
        let most = d.word()?;
        let [revision, count]: [u8; 2] = Decode::get(d)?;
        let [a, b, c, e, f, g]: [u8; 6] = Decode::get(d)?;
        if revision != 1 || usize::from(count) != most || most > MOST_PARTS {
            return Err(BadStub);
        }
        let parts = (0..count).map(|_| u32::get(d)).collect::<Decoded<_>>()?;
        Ok(Sid {
            authority: u64::from_be_bytes([0, 0, a, b, c, e, f, g]),
            parts,
        })
    }
}

/// What kind of account a SID is, `SID_NAME_USE` ([MS-LSAT] 2.2.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A user.
    User,
    /// A group of the domain.
    Group,
    /// A domain.
    Domain,
    /// A local group.
    Alias,
    /// One that every system knows.
    WellKnown,
    /// None that is known.
    Unknown,
    /// An integrity level.
    Label,
}

impl Kind {
    /// The number on the wire.
    pub fn number(self) -> u16 {
        match self {
            Kind::User => 1,
            Kind::Group => 2,
            Kind::Domain => 3,
            Kind::Alias => 4,
            Kind::WellKnown => 5,
            Kind::Unknown => 8,
            Kind::Label => 10,
        }
    }
}

/// Whom a SID or a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The account's SID.
    pub sid: Sid,
    /// Its domain's name.
    pub domain: String,
    /// Its name in the domain.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
}

/// SIDs that mean the same everywhere, [MS-DTYP] 2.4.2.4: authority, parts, domain, name, kind.
#[rustfmt::skip]
const WELL_KNOWN: &[(u64, &[u32], &str, &str, Kind)] = &[
    (0, &[0], "", "NULL SID", Kind::WellKnown),
    (1, &[0], "", "Everyone", Kind::WellKnown),
    (2, &[0], "", "LOCAL", Kind::WellKnown),
    (2, &[1], "", "CONSOLE LOGON", Kind::WellKnown),
    (3, &[0], "", "CREATOR OWNER", Kind::WellKnown),
    (3, &[1], "", "CREATOR GROUP", Kind::WellKnown),
    (3, &[2], "", "CREATOR OWNER SERVER", Kind::WellKnown),
    (3, &[3], "", "CREATOR GROUP SERVER", Kind::WellKnown),
    (3, &[4], "", "OWNER RIGHTS", Kind::WellKnown),
    (5, &[1], "NT AUTHORITY", "DIALUP", Kind::WellKnown),
    (5, &[2], "NT AUTHORITY", "NETWORK", Kind::WellKnown),
    (5, &[3], "NT AUTHORITY", "BATCH", Kind::WellKnown),
    (5, &[4], "NT AUTHORITY", "INTERACTIVE", Kind::WellKnown),
    (5, &[6], "NT AUTHORITY", "SERVICE", Kind::WellKnown),
    (5, &[7], "NT AUTHORITY", "ANONYMOUS LOGON", Kind::WellKnown),
    (5, &[8], "NT AUTHORITY", "PROXY", Kind::WellKnown),
    (5, &[9], "NT AUTHORITY", "ENTERPRISE DOMAIN CONTROLLERS", Kind::WellKnown),
    (5, &[10], "NT AUTHORITY", "SELF", Kind::WellKnown),
    (5, &[11], "NT AUTHORITY", "Authenticated Users", Kind::WellKnown),
    (5, &[12], "NT AUTHORITY", "RESTRICTED", Kind::WellKnown),
    (5, &[13], "NT AUTHORITY", "TERMINAL SERVER USER", Kind::WellKnown),
    (5, &[14], "NT AUTHORITY", "REMOTE INTERACTIVE LOGON", Kind::WellKnown),
    (5, &[15], "NT AUTHORITY", "This Organization", Kind::WellKnown),
    (5, &[17], "NT AUTHORITY", "IUSR", Kind::WellKnown),
    (5, &[18], "NT AUTHORITY", "SYSTEM", Kind::WellKnown),
    (5, &[19], "NT AUTHORITY", "LOCAL SERVICE", Kind::WellKnown),
    (5, &[20], "NT AUTHORITY", "NETWORK SERVICE", Kind::WellKnown),
    (5, &[64, 10], "NT AUTHORITY", "NTLM Authentication", Kind::WellKnown),
    (5, &[64, 14], "NT AUTHORITY", "SChannel Authentication", Kind::WellKnown),
    (5, &[64, 21], "NT AUTHORITY", "Digest Authentication", Kind::WellKnown),
    (5, &[32, 544], "BUILTIN", "Administrators", Kind::Alias),
    (5, &[32, 545], "BUILTIN", "Users", Kind::Alias),
    (5, &[32, 546], "BUILTIN", "Guests", Kind::Alias),
    (5, &[32, 547], "BUILTIN", "Power Users", Kind::Alias),
    (5, &[32, 548], "BUILTIN", "Account Operators", Kind::Alias),
    (5, &[32, 549], "BUILTIN", "Server Operators", Kind::Alias),
    (5, &[32, 550], "BUILTIN", "Print Operators", Kind::Alias),
    (5, &[32, 551], "BUILTIN", "Backup Operators", Kind::Alias),
    (5, &[32, 552], "BUILTIN", "Replicator", Kind::Alias),
    (5, &[32, 555], "BUILTIN", "Remote Desktop Users", Kind::Alias),
    (16, &[0], "Mandatory Label", "Untrusted Mandatory Level", Kind::Label),
    (16, &[4096], "Mandatory Label", "Low Mandatory Level", Kind::Label),
    (16, &[8192], "Mandatory Label", "Medium Mandatory Level", Kind::Label),
    (16, &[12288], "Mandatory Label", "High Mandatory Level", Kind::Label),
    (16, &[16384], "Mandatory Label", "System Mandatory Level", Kind::Label),
];

/// Name of the built-in domain.
const BUILTIN: &str = "BUILTIN";
/// The group of all users in the server's own domain, as a server in no domain calls it, and its relative id.
const ALL_USERS: (&str, u32) = ("None", 513);

/// Looks up SIDs and names. `server` is the name of the server's domain.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'a> {
    /// Name of the server's own domain.
    pub server: &'a str,
    /// Its SID's parts.
    pub sub_auth: SubAuth,
}

impl Directory<'_> {
    /// The server's own domain's SID.
    pub fn domain(&self) -> Sid {
        Sid::domain(self.sub_auth)
    }

    /// The built-in domain's SID.
    pub fn builtin() -> Sid {
        Sid::new(5, &[32])
    }

    /// Whom a SID stands for.
    pub fn by_sid(&self, sid: &Sid) -> Option<Account> {
        if let Some((_, _, domain, name, kind)) = WELL_KNOWN
            .iter()
            .find(|known| known.0 == sid.authority && known.1 == sid.parts)
        {
            return Some(self.account(sid.clone(), domain, name, *kind));
        }
        let (parent, id) = sid.split()?;
        if *sid == self.domain() {
            return Some(self.account(sid.clone(), self.server, "", Kind::Domain));
        }
        if *sid == Self::builtin() {
            return Some(self.account(sid.clone(), BUILTIN, "", Kind::Domain));
        }
        if parent == self.domain() {
            if let Some(user) = User::from_uid(Uid::from_raw(id)).ok()? {
                return Some(self.account(sid.clone(), self.server, &user.name, Kind::User));
            }
            let is_all = id == ALL_USERS.1;
            return is_all
                .then(|| self.account(sid.clone(), self.server, ALL_USERS.0, Kind::Group));
        }
        match (parent.authority, parent.parts.as_slice()) {
            (22, [1]) => {
                let user = User::from_uid(Uid::from_raw(id)).ok()??;
                Some(self.account(sid.clone(), "Unix User", &user.name, Kind::User))
            }
            (22, [2]) => {
                let group = Group::from_gid(Gid::from_raw(id)).ok()??;
                Some(self.account(sid.clone(), "Unix Group", &group.name, Kind::Group))
            }
            _ => None,
        }
    }

    /// Whom a name stands for, with or without a domain before it.
    pub fn by_name(&self, text: &str) -> Option<Account> {
        let (domain, name) = match text.split_once('\\') {
            Some((domain, name)) => (Some(domain), name),
            None => (None, text),
        };
        let within = |wanted: &str| domain.is_none_or(|domain| domain.eq_ignore_ascii_case(wanted));
        if let Some((authority, parts, known_domain, known, kind)) = WELL_KNOWN
            .iter()
            .find(|known| known.3.eq_ignore_ascii_case(name) && within(known.2))
        {
            return Some(self.account(Sid::new(*authority, parts), known_domain, known, *kind));
        }
        if within(self.server) {
            if let Some(user) = User::from_name(name).ok()? {
                let sid = self.domain().child(user.uid.as_raw());
                return Some(self.account(sid, self.server, &user.name, Kind::User));
            }
        }
        if let Some(found) = self.domain_named(domain, name) {
            return Some(found);
        }
        if within("Unix User") && domain.is_some() {
            if let Some(user) = User::from_name(name).ok()? {
                let sid = Sid::new(22, &[1, user.uid.as_raw()]);
                return Some(self.account(sid, "Unix User", &user.name, Kind::User));
            }
        }
        if within(self.server) && name.eq_ignore_ascii_case(ALL_USERS.0) {
            let sid = self.domain().child(ALL_USERS.1);
            return Some(self.account(sid, self.server, ALL_USERS.0, Kind::Group));
        }
        if within("Unix Group") {
            if let Some(group) = Group::from_name(name).ok()? {
                let sid = Sid::new(22, &[2, group.gid.as_raw()]);
                return Some(self.account(sid, "Unix Group", &group.name, Kind::Group));
            }
        }
        None
    }

    /// The domain of this name: alone, or with nothing behind it.
    fn domain_named(&self, domain: Option<&str>, name: &str) -> Option<Account> {
        let wanted = match (domain, name) {
            (None, name) => name,
            (Some(domain), "") => domain,
            _ => return None,
        };
        if wanted.eq_ignore_ascii_case(self.server) {
            return Some(self.account(self.domain(), self.server, "", Kind::Domain));
        }
        wanted
            .eq_ignore_ascii_case(BUILTIN)
            .then(|| self.account(Self::builtin(), BUILTIN, "", Kind::Domain))
    }

    fn account(&self, sid: Sid, domain: &str, name: &str, kind: Kind) -> Account {
        Account {
            sid,
            domain: domain.to_owned(),
            name: name.to_owned(),
            kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DIRECTORY: Directory<'static> = Directory {
        server: "BOX",
        sub_auth: [1, 2, 3],
    };

    #[test]
    fn root_is_found_by_name_and_sid() {
        let root = DIRECTORY.by_name("box\\root").expect("root");
        assert_eq!(root.sid.to_string(), "S-1-5-21-1-2-3-0");
        assert_eq!(DIRECTORY.by_sid(&root.sid), Some(root.clone()));
        assert_eq!(DIRECTORY.by_name("root"), Some(root));
        assert_eq!(DIRECTORY.by_name("other\\root"), None);
        let unix = DIRECTORY.by_sid(&Sid::new(22, &[1, 0])).expect("Unix root");
        assert_eq!(
            (unix.domain.as_str(), unix.name.as_str()),
            ("Unix User", "root")
        );
        assert_eq!(
            DIRECTORY
                .by_sid(&Sid::new(22, &[2, 0]))
                .expect("group")
                .kind,
            Kind::Group
        );
    }

    #[test]
    fn well_known_and_unknown_ones() {
        let everyone = DIRECTORY.by_sid(&Sid::new(1, &[0])).expect("Everyone");
        assert_eq!(
            (everyone.name.as_str(), everyone.kind),
            ("Everyone", Kind::WellKnown)
        );
        assert_eq!(
            DIRECTORY.by_name("BUILTIN\\users").expect("Users").kind,
            Kind::Alias
        );
        assert_eq!(
            DIRECTORY.by_sid(&DIRECTORY.domain()).expect("domain").kind,
            Kind::Domain
        );
        assert_eq!(DIRECTORY.by_sid(&Sid::new(5, &[21, 9, 9, 9, 0])), None);
        assert_eq!(DIRECTORY.by_sid(&Sid::new(5, &[])), None);
        assert_eq!(DIRECTORY.by_name("no such account"), None);
        for name in ["BOX", "box\\", "builtin", "BUILTIN\\"] {
            let found = DIRECTORY.by_name(name).expect("a domain");
            assert_eq!(found.kind, Kind::Domain, "{name}");
            assert_eq!(DIRECTORY.by_sid(&found.sid), Some(found));
        }
    }

    #[test]
    fn what_every_system_knows_has_one_name_and_one_sid() {
        for (authority, parts, domain, name, kind) in WELL_KNOWN {
            let sid = Sid::new(*authority, parts);
            let found = DIRECTORY.by_sid(&sid).expect("a known SID");
            assert_eq!((found.name.as_str(), found.kind), (*name, *kind));
            assert_eq!(DIRECTORY.by_name(&format!("{domain}\\{name}")), Some(found));
        }
        let all = DIRECTORY
            .by_name("BOX\\none")
            .expect("the group of all users");
        assert_eq!(all.sid.to_string(), "S-1-5-21-1-2-3-513");
        assert_eq!(DIRECTORY.by_sid(&all.sid), Some(all));
    }

    proptest! {
        #[test]
        fn sids_come_back(authority in 0u64..1 << 48, parts in proptest::collection::vec(any::<u32>(), 0..=15), wide: bool) {
            let syntax = if wide { Syntax::Ndr64 } else { Syntax::Ndr };
            let sid = Sid { authority, parts };
            let mut e = Encoder::new(syntax);
            e.param(&sid);
            let stub = e.finish();
            prop_assert_eq!(Decoder::new(&stub, syntax).param::<Sid>(), Ok(sid));
        }
    }
}
