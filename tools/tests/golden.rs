// SPDX-License-Identifier: GPL-2.0

//! What the programs print, how they end, and what they leave in their files.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A directory with a configuration and a user database.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(config: &str) -> Self {
        let place = Place {
            dir: tempfile::tempdir().expect("a directory"),
        };
        fs::write(place.config(), config).expect("a configuration");
        place
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("ksmbd.conf")
    }

    fn users(&self) -> PathBuf {
        self.dir.path().join("ksmbdpwd.db")
    }

    fn run(&self, program: &str, arguments: &[&str], input: &str) -> (i32, String, String) {
        let mut command = Command::new(program);
        let config = self.config();
        let users = self.users();
        let paths: [&Path; 2] = [&config, &users];
        command.args([
            "-C".as_ref(),
            paths[0].as_os_str(),
            "-P".as_ref(),
            paths[1].as_os_str(),
        ]);
        run(command.args(arguments), input)
    }

    fn adduser(&self, arguments: &[&str], input: &str) -> (i32, String) {
        let (status, _, said) = self.run(env!("CARGO_BIN_EXE_ksmbd-adduser"), arguments, input);
        (status, said)
    }

    fn addshare(&self, arguments: &[&str]) -> (i32, String) {
        let (status, _, said) = self.run(env!("CARGO_BIN_EXE_ksmbd-addshare"), arguments, "");
        (status, said)
    }
}

/// Runs a program; gives its status, its output, and its messages with the process id taken out.
fn run(command: &mut Command, input: &str) -> (i32, String, String) {
    let mut child = command
        .env_remove("KSMBD_LOG")
        .env_remove("JOURNAL_STREAM")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that asks for nothing may be gone before it is told anything.
    let _ = child
        .stdin
        .take()
        .expect("input")
        .write_all(input.as_bytes());
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().expect("the program ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (
        status.code().expect("no signal"),
        text(stdout),
        without_pid(&text(stderr)),
    )
}

fn without_pid(text: &str) -> String {
    let line = |line: &str| match line
        .split_once('/')
        .and_then(|(program, rest)| Some((program, rest.split_once(']')?)))
    {
        Some((program, (pid, rest))) if pid.parse::<u32>().is_ok() => format!("{program}]{rest}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn users_are_added_changed_and_deleted() {
    let place = Place::new("");
    let said = |text: &str| format!("[ksmbd.adduser]: {text}\n");
    assert_eq!(
        place.adduser(&["-a", "-p", "Password", "alice"], ""),
        (0, said("INFO: Added user `alice'"))
    );
    assert_eq!(
        fs::read_to_string(place.users()).unwrap(),
        "alice:pPScQGUQvcq2gk7nww/YUg==\n"
    );
    assert_eq!(fs::metadata(place.users()).unwrap().mode() & 0o777, 0o600);
    assert_eq!(
        place.adduser(&["-a", "-p", "x", "alice"], ""),
        (1, said("ERROR: User `alice' already exists"))
    );
    assert_eq!(
        place.adduser(&["-u", "-p", "x", "bob"], ""),
        (1, said("ERROR: User `bob' does not exist"))
    );
    assert_eq!(
        place.adduser(&["-p", "", "bob"], ""),
        (0, said("INFO: Added user `bob'"))
    );
    assert_eq!(
        place.adduser(&["-u", "-p", "", "alice"], ""),
        (0, said("INFO: Updated user `alice'"))
    );
    assert_eq!(
        place.adduser(&["-d", "bob"], ""),
        (0, said("INFO: Deleted user `bob'"))
    );
    assert_eq!(
        place.adduser(&["-d", "bob"], ""),
        (1, said("ERROR: User `bob' does not exist"))
    );
    assert_eq!(
        fs::read_to_string(place.users()).unwrap(),
        "alice:MdbP4NFq6TG3PFnX4MCJwA==\n"
    );
}

#[test]
fn passwords_come_from_scripts_too() {
    let place = Place::new("");
    assert_eq!(place.adduser(&["-a", "alice"], "Password\nPassword\n").0, 0);
    assert_eq!(
        fs::read_to_string(place.users()).unwrap(),
        "alice:pPScQGUQvcq2gk7nww/YUg==\n"
    );
    assert_eq!(place.adduser(&["-a", "bob"], "").0, 1);
}

#[test]
fn names_and_passwords_are_checked() {
    let place = Place::new("");
    for name in ["a:b", &"x".repeat(48), ""] {
        assert_eq!(place.adduser(&["-a", "-p", "x", name], "").0, 1, "{name}");
    }
    assert_eq!(
        place
            .adduser(&["-a", "-p", &"x".repeat(129), "alice"], "")
            .0,
        1
    );
    assert!(!place.users().exists());
}

#[test]
fn a_broken_database_stays_as_it_is() {
    let place = Place::new("");
    fs::write(place.users(), "alice:garbage\n").unwrap();
    let (status, said) = place.adduser(&["-a", "-p", "x", "bob"], "");
    assert_eq!(status, 1);
    assert!(
        said.contains("ksmbdpwd.db:1: the password of `alice` is not 16 bytes in Base64"),
        "{said}"
    );
    assert_eq!(
        fs::read_to_string(place.users()).unwrap(),
        "alice:garbage\n"
    );
}

#[test]
fn half_written_files_stay_as_they_are() {
    let place = Place::new("");
    for broken in [
        &b"[global\n"[..],
        b"[global]\ntcp port = many\n",
        b"[s]\npath=/x\n[gl",
        b"\xff\xfe[s]\n",
        b"[s]\npath",
    ] {
        fs::write(place.config(), broken).unwrap();
        for (action, share) in [("-a", "new"), ("-u", "s"), ("-d", "new")] {
            let (status, said) = place.addshare(&[action, "-o", "path = /tmp", share]);
            assert_eq!(status, 1, "{action} {broken:?}");
            assert!(said.contains("ERROR: "), "{said}");
            assert_eq!(fs::read(place.config()).unwrap(), broken);
        }
    }
    fs::write(place.config(), "").unwrap();
    for broken in [
        &b"alice\n"[..],
        b"alice:pPScQGUQvcq2gk7nww/Y",
        b"\0\0\0\0",
        b"\xff:pPScQGUQvcq2gk7nww/YUg==\n",
    ] {
        fs::write(place.users(), broken).unwrap();
        for action in ["-a", "-u", "-d"] {
            let (status, said) = place.adduser(&[action, "-p", "x", "alice"], "");
            assert_eq!(status, 1, "{action} {broken:?}");
            assert!(said.contains("ksmbdpwd.db:1: "), "{said}");
            assert!(!said.contains("pPSc"), "a secret in a message: {said}");
            assert_eq!(fs::read(place.users()).unwrap(), broken);
        }
    }
}

#[test]
fn the_guest_account_is_not_deleted() {
    let place = Place::new("[global]\nguest account = alice\n");
    assert_eq!(place.adduser(&["-a", "-p", "x", "alice"], "").0, 0);
    assert_eq!(
        place.adduser(&["-d", "alice"], ""),
        (
            1,
            "[ksmbd.adduser]: ERROR: User `alice' is the guest account of the configuration\n"
                .into()
        )
    );
}

#[test]
fn shares_are_edited_in_place() {
    let config = "; mine\n[global]\n\ttcp port = 4450 ; not 445\n\n[Old]\n\tpath = /old\n";
    let place = Place::new(config);
    let said = |text: &str| format!("[ksmbd.addshare]: {text}\n");
    assert_eq!(
        place.addshare(&["-a", "-o", "path = /new", "-o", "Read Only = no", "New"]),
        (0, said("INFO: Added share `New'"))
    );
    let added = format!("{config}\n[New]\n\tpath = /new\n\tread only = no\n");
    assert_eq!(fs::read_to_string(place.config()).unwrap(), added);
    assert_eq!(
        place.addshare(&["-u", "-o", "path = /newer", "-o", "read only =", "NEW"]),
        (0, said("INFO: Updated share `NEW'"))
    );
    assert_eq!(
        fs::read_to_string(place.config()).unwrap(),
        format!("{config}\n[New]\n\tpath = /newer\n")
    );
    assert_eq!(
        place.addshare(&["-d", "new"]),
        (0, said("INFO: Deleted share `new'"))
    );
    assert_eq!(
        fs::read_to_string(place.config()).unwrap(),
        format!("{config}\n")
    );
    assert_eq!(
        place.addshare(&["-a", "-o", "path = /x", "old"]),
        (1, said("ERROR: Share `old' already exists"))
    );
    assert_eq!(
        place.addshare(&["-d", "none"]),
        (1, said("ERROR: Share `none' does not exist"))
    );
}

/// What a person at a terminal types, and what is on the screen then.
fn at_terminal(command: &mut Command, typed: &str) -> (i32, String) {
    let terminal = nix::pty::openpty(None, None).expect("a terminal");
    let mut child = command
        .env_remove("KSMBD_LOG")
        .env_remove("JOURNAL_STREAM")
        .stdin(Stdio::from(terminal.slave))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut keyboard = fs::File::from(terminal.master);
    keyboard.write_all(typed.as_bytes()).expect("typing");
    let mut said = String::new();
    let mut screen = child.stderr.take().expect("a screen");
    std::io::Read::read_to_string(&mut screen, &mut said).expect("UTF-8");
    let status = child.wait().expect("the program ends");
    (status.code().expect("no signal"), said)
}

#[test]
fn a_person_goes_through_the_keys_of_a_share() {
    let place = Place::new("[s]\n\tcomment = old\n\tpath = /srv # here\n\tread only = no\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ksmbd-addshare"));
    command.arg("-C").arg(place.config());
    // Another key first, and a wrong one; then `path` stays, `comment` is new, and it ends.
    let typed = "read only = yes\nfrob = x\n\nnew\n\u{4}";
    let (status, said) = at_terminal(command.args(["-u", "s"]), typed);
    assert_eq!(status, 0, "{said}");
    for part in [
        "comment [old]: ",
        "`frob' is not a known key",
        "Updated share `s'",
    ] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    assert_eq!(
        fs::read_to_string(place.config()).unwrap(),
        "[s]\n\tcomment = new\n\tpath = /srv # here\n\tread only = yes\n"
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_ksmbd-addshare"));
    command.arg("-C").arg(place.config());
    assert_eq!(at_terminal(command.arg("other"), "\u{4}").0, 1);
}

#[test]
fn a_person_is_asked_twice_and_nothing_is_shown() {
    let place = Place::new("");
    let add = |first: &str, second: &str, third: &str| {
        let terminal = nix::pty::openpty(None, None).expect("a terminal");
        let mut child = Command::new(env!("CARGO_BIN_EXE_ksmbd-adduser"))
            .arg("-P")
            .arg(place.users())
            .arg("-C")
            .arg(place.config())
            .args(["-a", "alice"])
            .env_remove("KSMBD_LOG")
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::from(terminal.slave.try_clone().expect("a copy")))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut keyboard = fs::File::from(terminal.master);
        let mut screen = child.stderr.take().expect("a screen");
        let mut said = String::new();
        let mut answers = [first, second, third, third].into_iter();
        let mut byte = [0; 1];
        while std::io::Read::read(&mut screen, &mut byte).expect("a screen") == 1 {
            said.push(char::from(byte[0]));
            if said.ends_with("password: ") {
                let answer = answers.next().expect("it is asked four times at the most");
                keyboard.write_all(answer.as_bytes()).expect("typing");
            }
        }
        let status = child.wait().expect("the program ends");
        // What the terminal showed of what was typed; it is not read from a line any more, so that there is an end to it.
        let flags = nix::fcntl::OFlag::O_NONBLOCK;
        nix::fcntl::fcntl(&keyboard, nix::fcntl::FcntlArg::F_SETFL(flags)).expect("fcntl");
        let mut shown = Vec::new();
        let _ = std::io::Read::read_to_end(&mut keyboard, &mut shown);
        (
            status.code(),
            said,
            String::from_utf8_lossy(&shown).into_owned(),
        )
    };
    let (status, said, shown) = add("guess\n", "other\n", "Password\n");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("Passwords do not match"), "{said}");
    assert!(
        !shown.contains("Password") && !shown.contains("guess"),
        "{shown:?}"
    );
    assert_eq!(
        fs::read_to_string(place.users()).unwrap(),
        "alice:pPScQGUQvcq2gk7nww/YUg==\n"
    );
}

#[test]
fn what_the_daemon_could_not_use_changes_nothing() {
    let place = Place::new("[global]\n");
    let (status, said) =
        place.addshare(&["-a", "-o", "path = /x", "-o", "read only = ture", "new"]);
    assert_eq!(status, 1);
    assert!(said.contains("expected yes or no") && said.contains("nothing was changed"));
    assert_eq!(place.addshare(&["-a", "-o", "path = /x", "global"]).0, 1);
    assert_eq!(place.addshare(&["-a", "-o", "path = /x", "a]b"]).0, 1);
    assert_eq!(fs::read_to_string(place.config()).unwrap(), "[global]\n");
}

#[test]
fn options_without_effect_are_named_and_passed_over() {
    let place = Place::new("[global]\n");
    for option in ["pth = /x", "tcp port = 1", "security = user", "nonsense"] {
        let (status, said) = place.addshare(&["-o", option, "-o", "path = /x", "new"]);
        assert_eq!(status, 0, "{option}");
        assert!(said.contains("WARNING: ignored:"), "{said}");
    }
    assert_eq!(
        fs::read_to_string(place.config()).unwrap(),
        "[global]\n\n[new]\n\tpath = /x\n"
    );
    let (status, said) = place.addshare(&["-a", "-o", "comment = later", "half"]);
    assert_eq!(status, 0);
    assert!(said.contains("cannot be served as it is"), "{said}");
}

#[test]
fn defaults_of_shares_are_set_among_the_global_keys() {
    let place = Place::new("[global]\n\t# kept\n\ttcp port = 445\n");
    let options = [
        "-u",
        "-o",
        "guest ok = yes",
        "-o",
        "max connections = 3",
        "Global",
    ];
    let (status, said) = place.addshare(&options);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("means something else"), "{said}");
    assert_eq!(
        fs::read_to_string(place.config()).unwrap(),
        "[global]\n\t# kept\n\ttcp port = 445\n\tguest ok = yes\n"
    );
}

#[test]
fn a_second_line_confirms_the_password() {
    let place = Place::new("[global]\n");
    assert_eq!(place.adduser(&["-a", "alice"], "one\ntwo\n").0, 1);
    assert!(!place.users().exists());
    assert_eq!(place.adduser(&["-a", "alice"], "one\none\n").0, 0);
    assert_eq!(place.adduser(&["-a", "bob"], "one\n").0, 0);
}

#[test]
fn configurations_are_checked() {
    let place = Place::new("[global]\n\ttcp prt = 445\n[s]\n\tpath = /srv\n\tguest ok = perhaps\n");
    let config = place.config();
    let check = |config: &Path| {
        run(
            Command::new(env!("CARGO_BIN_EXE_ksmbd-control"))
                .arg("--check")
                .arg(config),
            "",
        )
    };
    let name = config.display();
    let (status, out, _) = check(&config);
    assert_eq!(status, 1);
    assert_eq!(
        out,
        format!(
            "{name}:2:2: warning: `tcp prt` is not a known key; did you mean `tcp port`?\n\
             {name}:5:13: error: `guest ok = perhaps`: expected yes or no\n"
        )
    );
    fs::write(&config, "[s]\n\tpath = /srv\n").unwrap();
    assert_eq!(
        check(&config),
        (0, format!("{name}: 0 warnings, no errors\n"), String::new())
    );
    assert_eq!(check(Path::new("/nonexistent/ksmbd.conf")).0, 1);
}

#[test]
fn versions_and_mistakes() {
    let version = format!("ksmbd-tools version : {}\n", env!("CARGO_PKG_VERSION"));
    for program in [
        env!("CARGO_BIN_EXE_ksmbd-adduser"),
        env!("CARGO_BIN_EXE_ksmbd-addshare"),
        env!("CARGO_BIN_EXE_ksmbd-control"),
    ] {
        let go = |argument: &str| run(Command::new(program).arg(argument), "");
        assert_eq!(go("-V"), (0, version.clone(), String::new()));
        assert_eq!(go("--no-such-option").0, 1);
        let (status, help, _) = go("--help");
        assert_eq!(status, 0);
        assert!(help.contains("Usage: ksmbd."), "{help}");
    }
}

#[test]
fn a_share_in_an_included_file_is_changed_there() {
    let main = "[global]\ninclude = more.conf\n[a]\npath = /a\n";
    let more = "[inc]\npath = /i\n";
    let place = Place::new(main);
    let included = place.dir.path().join("more.conf");
    fs::write(&included, more).unwrap();
    for action in ["-a", "-u", "-d"] {
        let (status, said) = place.addshare(&[action, "-o", "comment = x", "INC"]);
        assert_eq!(status, 1, "{said}");
        let place = included.display();
        let wanted = format!("Share `INC' stands in {place}, which is included");
        assert!(said.contains(&wanted), "{said}");
    }
    assert_eq!(fs::read_to_string(place.config()).unwrap(), main);
    assert_eq!(fs::read_to_string(&included).unwrap(), more);
    let (status, said) = place.addshare(&["-u", "-o", "comment = x", "a"]);
    assert_eq!(status, 0, "{said}");
}

#[test]
fn a_cause_is_told_once() {
    let place = Place::new("");
    fs::create_dir(place.users()).unwrap();
    let (status, said) = place.adduser(&["-a", "-p", "x", "alice"], "");
    assert_eq!(status, 1);
    assert_eq!(said.matches("Is a directory").count(), 1, "{said}");
}
