// SPDX-License-Identifier: GPL-2.0

//! What the worker knows: configuration and users, which a reload replaces as a whole, and who is connected.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ksmbd_tools::account::Accounts;
use ksmbd_tools::cli::Mountd;
use ksmbd_tools::config::document::{fold_name, Severity};
use ksmbd_tools::config::{Config, Loaded, Share};
use ksmbd_tools::users::Users;

/// Failed logins after which the module is told to delay an account.
const PATIENCE: u32 = 10;
/// Most accounts whose failed logins are counted.
const MOST_COUNTED: usize = 4096;

/// Configuration and users of one moment.
#[derive(Debug)]
pub struct Settings {
    /// The configuration.
    pub config: Config,
    /// The user database.
    pub users: Users,
}

/// Where the settings come from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The configuration.
    pub config: PathBuf,
    /// The user database.
    pub users: PathBuf,
    /// A port that counts before the configuration's.
    pub port: Option<u16>,
}

impl Sources {
    /// The sources that a command line names.
    pub fn of(arguments: &Mountd) -> Self {
        Sources {
            config: arguments.config.clone(),
            users: arguments.pwddb.clone(),
            port: arguments.port,
        }
    }
}

/// A tree connect's key: session and tree connect id.
type Tree = (u64, u64);

/// Who is connected to what.
#[derive(Debug, Default)]
struct Connections {
    /// The share, by folded name, of each tree connect.
    trees: HashMap<Tree, String>,
    /// Number of tree connects of each session.
    sessions: HashMap<u64, u32>,
}

impl Connections {
    fn remove(&mut self, tree: Tree) {
        if self.trees.remove(&tree).is_none() {
            return;
        }
        if let Some(count) = self.sessions.get_mut(&tree.0) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.sessions.remove(&tree.0);
            }
        }
    }
}

/// Lets so many messages pass in each period.
#[derive(Debug, Default)]
struct Throttle {
    since: Option<Instant>,
    passed: u32,
    dropped: u64,
}

impl Throttle {
    const PERIOD: Duration = Duration::from_secs(10);
    const MOST: u32 = 50;

    /// Whether a message passes, and how many before it did not.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let is_over = |since: Instant| now.saturating_duration_since(since) >= Self::PERIOD;
        if self.since.is_none_or(is_over) {
            self.since = Some(now);
            self.passed = 0;
        }
        if self.passed >= Self::MOST {
            self.dropped = self.dropped.saturating_add(1);
            return None;
        }
        self.passed = self.passed.saturating_add(1);
        Some(std::mem::take(&mut self.dropped))
    }
}

/// Everything the worker knows.
pub struct State {
    settings: RwLock<Arc<Settings>>,
    connections: Mutex<Connections>,
    failures: Mutex<HashMap<String, u32>>,
    changed: Mutex<HashSet<String>>,
    notes: Mutex<Throttle>,
    /// Whether the module itself says which logins it refuses.
    module_tells: bool,
    accounts: Box<dyn Accounts>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// Why a tree connect was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many sessions.
    Sessions,
    /// Too many connections to the share.
    Connections,
}

/// What a message is about, for the journal: names in small letters, and values.
pub type Facts<'a> = &'a [(&'a str, &'a str)];

fn tell(facts: Facts<'_>, message: std::fmt::Arguments<'_>) {
    log::logger().log(
        &log::Record::builder()
            .level(log::Level::Info)
            .target(module_path!())
            .module_path_static(Some(module_path!()))
            .key_values(&facts)
            .args(message)
            .build(),
    );
}

/// A lock whose holder panicked holds data that is still whole: every change below is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads configuration and users, and logs what there is to say.
///
/// # Errors
///
/// What is wrong, in one line; the details are logged.
pub fn load(sources: &Sources, accounts: &dyn Accounts) -> Result<Settings, String> {
    let users = match Users::load(&sources.users) {
        Ok(Some(users)) => users,
        Ok(None) => {
            log::warn!(
                "{} does not exist: only guest sessions, where permitted, will work",
                sources.users.display()
            );
            Users::default()
        }
        Err(error) => return Err(format!("the user database cannot be read: {error}")),
    };
    let Loaded {
        config,
        diagnostics,
    } = Config::load(&sources.config, accounts);
    for diagnostic in &diagnostics {
        match diagnostic.severity {
            Severity::Warning => log::warn!("{diagnostic}"),
            Severity::Error | Severity::Fatal => log::error!("{diagnostic}"),
        }
    }
    let mut config =
        config.ok_or_else(|| format!("{} cannot be used", sources.config.display()))?;
    if let Some(port) = sources.port {
        config.global.tcp_port = port;
    }
    Ok(Settings { config, users })
}

impl State {
    /// A state with these settings.
    pub fn new(settings: Settings, accounts: Box<dyn Accounts>) -> Self {
        State {
            settings: RwLock::new(Arc::new(settings)),
            connections: Mutex::default(),
            failures: Mutex::default(),
            changed: Mutex::default(),
            notes: Mutex::default(),
            module_tells: false,
            accounts,
        }
    }

    /// The settings of this moment.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The system's users and groups.
    pub fn accounts(&self) -> &dyn Accounts {
        self.accounts.as_ref()
    }

    /// Takes new settings. Shares that changed are remembered, so that the module is told at their next tree connect.
    pub fn replace(&self, settings: Settings) {
        let mut current = self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut changed = lock(&self.changed);
        for share in current.config.shares() {
            if settings.config.share(&share.name) != Some(share) {
                changed.insert(fold_name(&share.name));
            }
        }
        *current = Arc::new(settings);
    }

    /// Whether the share changed since the module last fetched it.
    pub fn has_changed(&self, share: &str) -> bool {
        lock(&self.changed).contains(&fold_name(share))
    }

    /// The module has the share's present configuration.
    pub fn is_fetched(&self, share: &str) {
        lock(&self.changed).remove(&fold_name(share));
    }

    /// Takes in a tree connect.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if a limit is reached.
    pub fn connect(&self, settings: &Settings, share: &Share, tree: Tree) -> Result<(), Refusal> {
        let mut connections = lock(&self.connections);
        let name = fold_name(&share.name);
        // The module does not connect a tree twice: the end of the former one was lost.
        connections.remove(tree);
        let most =
            usize::try_from(settings.config.global.max_active_sessions).unwrap_or(usize::MAX);
        if !connections.sessions.contains_key(&tree.0) && connections.sessions.len() >= most {
            return Err(Refusal::Sessions);
        }
        let most = usize::try_from(share.max_connections).unwrap_or(usize::MAX);
        if connections
            .trees
            .values()
            .filter(|connected| **connected == name)
            .count()
            >= most
        {
            return Err(Refusal::Connections);
        }
        connections.trees.insert(tree, name);
        let count = connections.sessions.entry(tree.0).or_default();
        *count = count.saturating_add(1);
        Ok(())
    }

    /// A tree connect ended.
    pub fn disconnect(&self, tree: Tree) {
        lock(&self.connections).remove(tree);
    }

    /// Tells the administrator that something was refused and why; `facts` are fields of the journal. Clients cause such messages,
    /// so there is a limit to them.
    pub fn note(&self, facts: Facts<'_>, message: std::fmt::Arguments<'_>) {
        match lock(&self.notes).take(Instant::now()) {
            Some(0) => tell(facts, message),
            Some(dropped) => tell(
                facts,
                format_args!("{message} ({dropped} messages before this one were left out)"),
            ),
            None => {}
        }
    }

    /// As [`Self::note`], of a login that the module refuses: one that tells its administrator itself, and from where, is not
    /// repeated.
    pub fn note_login(&self, facts: Facts<'_>, message: std::fmt::Arguments<'_>) {
        if self.module_tells {
            log::debug!("{message}");
        } else {
            self.note(facts, message);
        }
    }

    /// Leaves it to the module to tell which logins it refuses.
    #[must_use]
    pub fn with_module_that_tells(mut self, tells: bool) -> Self {
        self.module_tells = tells;
        self
    }

    /// Whether the module is one of ours: it tells which logins it refuses, and takes new global keys while it runs.
    pub fn module_tells(&self) -> bool {
        self.module_tells
    }

    /// Number of tree connects to a share.
    pub fn users_of(&self, share: &str) -> u32 {
        let share = fold_name(share);
        let count = lock(&self.connections)
            .trees
            .values()
            .filter(|connected| **connected == share)
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Counts a failed login.
    pub fn login_failed(&self, account: &str) {
        let mut failures = lock(&self.failures);
        if failures.len() >= MOST_COUNTED && !failures.contains_key(account) {
            return;
        }
        let count = failures.entry(account.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// A login succeeded, or a session ended as it should.
    pub fn login_succeeded(&self, account: &str) {
        lock(&self.failures).remove(account);
    }

    /// Whether the account failed so often that the module is to delay it.
    pub fn is_delayed(&self, account: &str) -> bool {
        lock(&self.failures)
            .get(account)
            .is_some_and(|count| *count > PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_a_limit_and_come_back() {
        let mut throttle = Throttle::default();
        let now = Instant::now();
        let passed = (0..200).filter(|_| throttle.take(now).is_some()).count();
        assert_eq!(passed, 50);
        assert_eq!(throttle.take(now + Throttle::PERIOD), Some(150));
        assert_eq!(throttle.take(now + Throttle::PERIOD), Some(0));
    }
}
