// SPDX-License-Identifier: GPL-2.0

//! Every key that the configuration knows, and where it may stand.

use super::document::fold_key;

/// Where a key may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In `[global]` only.
    Global,
    /// In a share; in `[global]` it is the default of every share.
    Share,
    /// In both, with a meaning of its own in each.
    Both,
}

macro_rules! keys {
    ($($key:ident = $name:literal, $scope:ident;)*) => {
        /// A key of the configuration.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Key {
            $(#[doc = concat!("`", $name, "`")] $key,)*
        }

        impl Key {
            /// Every key.
            pub const ALL: &'static [Key] = &[$(Key::$key),*];

            /// The key's name as documented.
            pub const fn name(self) -> &'static str {
                match self { $(Key::$key => $name,)* }
            }

            /// Where the key may stand.
            pub const fn scope(self) -> Scope {
                match self { $(Key::$key => Scope::$scope,)* }
            }
        }
    };
}

keys! {
    AaplModel = "aapl model", Global;
    BindInterfacesOnly = "bind interfaces only", Global;
    Deadtime = "deadtime", Global;
    DurableHandles = "durable handles", Global;
    Interfaces = "interfaces", Global;
    IpcTimeout = "ipc timeout", Global;
    KerberosKeytab = "kerberos keytab file", Global;
    KerberosService = "kerberos service name", Global;
    KerberosSupport = "kerberos support", Global;
    MapToGuest = "map to guest", Global;
    MaxActiveSessions = "max active sessions", Global;
    MaxIpConnections = "max ip connections", Global;
    MaxOpenFiles = "max open files", Global;
    MaxSessionsPerConnection = "max sessions per connection", Global;
    MulticastDns = "multicast dns register", Global;
    NetbiosName = "netbios name", Global;
    RestrictAnonymous = "restrict anonymous", Global;
    RootDirectory = "root directory", Global;
    ServerMaxProtocol = "server max protocol", Global;
    ServerMinProtocol = "server min protocol", Global;
    ServerMultiChannel = "server multi channel support", Global;
    ServerSigning = "server signing", Global;
    ServerString = "server string", Global;
    FakeFscaps = "share:fake_fscaps", Global;
    Smb2Leases = "smb2 leases", Global;
    Smb2MaxCredits = "smb2 max credits", Global;
    Smb2MaxRead = "smb2 max read", Global;
    Smb2MaxTrans = "smb2 max trans", Global;
    Smb2MaxWrite = "smb2 max write", Global;
    SmbdMaxIo = "smbd max io size", Global;
    TcpPort = "tcp port", Global;
    Workgroup = "workgroup", Global;
    WsDiscovery = "ws discovery register", Global;

    GuestAccount = "guest account", Both;
    MaxConnections = "max connections", Both;
    Smb3Encryption = "smb3 encryption", Both;

    AdminUsers = "admin users", Share;
    Browseable = "browseable", Share;
    Comment = "comment", Share;
    ContinuousAvailability = "continuous availability", Share;
    CreateMask = "create mask", Share;
    CrossMount = "crossmnt", Share;
    DirectoryMask = "directory mask", Share;
    FollowSymlinks = "follow symlinks", Share;
    ForceCreateMode = "force create mode", Share;
    ForceDirectoryMode = "force directory mode", Share;
    ForceGroup = "force group", Share;
    ForceUser = "force user", Share;
    GuestOk = "guest ok", Share;
    GuestOnly = "guest only", Share;
    HideDotFiles = "hide dot files", Share;
    HideUnreadable = "hide unreadable", Share;
    HostsAllow = "hosts allow", Share;
    HostsDeny = "hosts deny", Share;
    InheritOwner = "inherit owner", Share;
    InvalidUsers = "invalid users", Share;
    Oplocks = "oplocks", Share;
    Path = "path", Share;
    ReadList = "read list", Share;
    ReadOnly = "read only", Share;
    StoreDosAttributes = "store dos attributes", Share;
    TimeMachine = "time machine", Share;
    ValidUsers = "valid users", Share;
    VetoFiles = "veto files", Share;
    VfsObjects = "vfs objects", Share;
    Writable = "writable", Share;
    Writeable = "writeable", Share;
    WriteList = "write list", Share;
    WriteOk = "write ok", Share;
}

/// Other names of keys, as Samba has them.
const SYNONYMS: &[(&str, Key)] = &[
    ("allow hosts", Key::HostsAllow),
    ("browsable", Key::Browseable),
    ("create mode", Key::CreateMask),
    ("deny hosts", Key::HostsDeny),
    ("directory", Key::Path),
    ("directory mode", Key::DirectoryMask),
    ("group", Key::ForceGroup),
    ("only guest", Key::GuestOnly),
    ("public", Key::GuestOk),
    ("root", Key::RootDirectory),
    ("root dir", Key::RootDirectory),
    ("server smb encrypt", Key::Smb3Encryption),
    ("smb encrypt", Key::Smb3Encryption),
    ("vfs object", Key::VfsObjects),
];

/// Keys that Samba has and this server does without: named so that a configuration that moved over is understood.
const SAMBA_ONLY: &[&str] = &[
    "available",
    "case sensitive",
    "default case",
    "disable netbios",
    "dns proxy",
    "domain master",
    "dos charset",
    "dos filemode",
    "dos filetimes",
    "ea support",
    "encrypt passwords",
    "idmap config",
    "inherit acls",
    "inherit permissions",
    "kernel oplocks",
    "level2 oplocks",
    "load printers",
    "local master",
    "lock directory",
    "log file",
    "log level",
    "logging",
    "logon drive",
    "logon path",
    "logon script",
    "map acl inherit",
    "map archive",
    "map hidden",
    "map readonly",
    "map system",
    "max log size",
    "max protocol",
    "min protocol",
    "msdfs root",
    "name resolve order",
    "obey pam restrictions",
    "os level",
    "pam password change",
    "panic action",
    "passdb backend",
    "passwd chat",
    "passwd program",
    "posix locking",
    "preferred master",
    "preserve case",
    "printable",
    "printcap name",
    "printing",
    "protocol",
    "realm",
    "security",
    "server role",
    "server services",
    "short preserve case",
    "smb ports",
    "socket options",
    "strict allocate",
    "strict locking",
    "strict sync",
    "sync always",
    "syslog",
    "time server",
    "unix charset",
    "unix extensions",
    "unix password sync",
    "use sendfile",
    "usershare allow guests",
    "usershare max shares",
    "username map",
    "valid chars",
    "wide links",
    "winbind use default domain",
    "wins server",
    "wins support",
];

/// What a key's text turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A key of ours.
    Known(Key),
    /// A key of Samba's that has no effect here.
    SambaOnly,
    /// None; perhaps this one was meant.
    Unknown(Option<Key>),
}

impl Key {
    /// Looks up a key by its text; letter case and space do not matter.
    pub fn lookup(text: &str) -> Lookup {
        let folded = fold_key(text);
        if let Some(key) = Key::ALL.iter().find(|key| fold_key(key.name()) == folded) {
            return Lookup::Known(*key);
        }
        if let Some((_, key)) = SYNONYMS.iter().find(|(name, _)| fold_key(name) == folded) {
            return Lookup::Known(*key);
        }
        if SAMBA_ONLY.iter().any(|name| fold_key(name) == folded) {
            return Lookup::SambaOnly;
        }
        Lookup::Unknown(nearest(&folded))
    }

    /// Whether the key may stand in a share's section.
    pub fn is_for_share(self) -> bool {
        self.scope() != Scope::Global
    }
}

/// The key whose name differs from `folded` in the fewest letters, if they are few enough for a slip.
fn nearest(folded: &str) -> Option<Key> {
    let allowed = folded.chars().count() / 4 + 1;
    Key::ALL
        .iter()
        .map(|key| (distance(folded, &fold_key(key.name())), *key))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, key)| key)
}

/// Number of letters to insert, remove or change to get from `a` to `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (to, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let change = diagonal + usize::from(from != *to);
            diagonal = *above;
            left = change.min(left + 1).min(*above + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_keys_whatever_their_case_and_space() {
        for text in ["read only", "Read Only", "readonly", "READ\tONLY"] {
            assert_eq!(Key::lookup(text), Lookup::Known(Key::ReadOnly), "{text}");
        }
        assert_eq!(Key::lookup("public"), Lookup::Known(Key::GuestOk));
        assert_eq!(
            Key::lookup("share:fake_fscaps"),
            Lookup::Known(Key::FakeFscaps)
        );
        assert_eq!(Key::lookup("passdb backend"), Lookup::SambaOnly);
    }

    #[test]
    fn every_key_finds_itself() {
        for key in Key::ALL {
            assert_eq!(Key::lookup(key.name()), Lookup::Known(*key));
        }
    }

    #[test]
    fn suggests_the_nearest() {
        assert_eq!(
            Key::lookup("valid user"),
            Lookup::Unknown(Some(Key::ValidUsers))
        );
        assert_eq!(
            Key::lookup("brwseable"),
            Lookup::Unknown(Some(Key::Browseable))
        );
        assert_eq!(Key::lookup("quux"), Lookup::Unknown(None));
    }

    #[test]
    fn counts_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
