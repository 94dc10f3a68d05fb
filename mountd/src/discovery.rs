// SPDX-License-Identifier: GPL-2.0

//! Being found by mDNS (RFC 6762, RFC 6763), with `multicast dns register = yes`: a service file for the system's Avahi, which
//! announces and withdraws what it says. Off by default, and then nothing is written.
//!
//! `_smb._tcp` is the server; `_adisk._tcp` tells macOS which shares are for Time Machine; `_device-info._tcp` what the server
//! looks like, with `aapl model`.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use ksmbd_tools::atomic;
use ksmbd_tools::config::Config;

/// Where Avahi looks for service files.
const FOLDER: &str = "/etc/avahi/services";
/// Ours.
const FILE: &str = "ksmbd.service";
/// A file of ours says so; another of the same name is an administrator's, and stays.
const MARK: &str = "<!-- Written by ksmbd.mountd, which will change it: multicast dns register -->";
/// `adVF` of a share for Time Machine over SMB.
const TIME_MACHINE_FLAGS: &str = "0x82";

/// Writes the file, or takes it away, as the configuration says. A failure is told and costs nothing else.
pub fn publish(config: &Config) {
    if let Err(error) = publish_in(Path::new(FOLDER), config) {
        log::warn!("mDNS: {FOLDER}/{FILE}: {error}");
    }
}

/// Takes the file away: nobody serves any more.
pub fn withdraw() {
    if let Err(error) = remove(&Path::new(FOLDER).join(FILE)) {
        log::warn!("mDNS: {FOLDER}/{FILE}: {error}");
    }
}

fn publish_in(folder: &Path, config: &Config) -> io::Result<()> {
    let path = folder.join(FILE);
    if !config.global.multicast_dns {
        return remove(&path);
    }
    if !folder.is_dir() {
        return Err(io::Error::other(
            "there is no such folder: install avahi-daemon",
        ));
    }
    let wanted = text(config);
    match fs::read_to_string(&path) {
        Ok(there) if there == wanted => return Ok(()),
        Ok(there) if !there.contains(MARK) => {
            return Err(io::Error::other("it is not ours, and stays as it is"))
        }
        _ => {}
    }
    atomic::replace(&path, wanted.as_bytes(), 0o644)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::read_to_string(path) {
        Ok(there) if there.contains(MARK) => fs::remove_file(path),
        _ => Ok(()),
    }
}

/// The service file, avahi.service(5).
fn text(config: &Config) -> String {
    let global = &config.global;
    let mut services = service("_smb._tcp", global.tcp_port, &[]);
    let disks: Vec<String> = config
        .shares()
        .filter(|share| share.time_machine && !share.is_pipe)
        .enumerate()
        .map(|(number, share)| format!("dk{number}=adVN={},adVF={TIME_MACHINE_FLAGS}", share.name))
        .collect();
    if !disks.is_empty() {
        let mut records = vec!["sys=waMa=0,adVF=0x100".to_owned()];
        records.extend(disks);
        // A service of its own port 9, "discard": it only carries its records.
        services += &service("_adisk._tcp", 9, &records);
    }
    if !global.aapl_model.is_empty() {
        let model = format!("model={}", global.aapl_model);
        services += &service("_device-info._tcp", 9, &[model]);
    }
    format!(
        "<?xml version=\"1.0\" standalone='no'?>\n<!DOCTYPE service-group SYSTEM \"avahi-service.dtd\">\n{MARK}\n<service-group>\n  \
         <name replace-wildcards=\"yes\">%h</name>\n{services}</service-group>\n"
    )
}

fn service(kind: &str, port: u16, records: &[String]) -> String {
    let mut text = format!("  <service>\n    <type>{kind}</type>\n    <port>{port}</port>\n");
    for record in records {
        // Writing into a string does not fail.
        let _ = writeln!(text, "    <txt-record>{}</txt-record>", escaped(record));
    }
    text + "  </service>\n"
}

/// Text in XML. Control characters, which XML does not have, are left out.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::settings;

    const ON: &str =
        "[global]\nmulticast dns register = yes\ntcp port = 4450\naapl model = RackMac\n\
        [Back & up]\npath=/b\ntime machine = yes\n[plain]\npath=/p\n";

    #[test]
    fn says_what_is_served() {
        let text = text(&settings(ON).config);
        for part in [
            MARK,
            "<type>_smb._tcp</type>\n    <port>4450</port>",
            "<txt-record>dk0=adVN=Back &amp; up,adVF=0x82</txt-record>",
            "<txt-record>model=RackMac</txt-record>",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains("plain"));
        let none = text_of("[global]\nmulticast dns register = yes\n");
        assert!(!none.contains("_adisk") && !none.contains("_device-info"));
    }

    fn text_of(config: &str) -> String {
        text(&settings(config).config)
    }

    #[test]
    fn is_what_avahi_reads() {
        // Avahi 0.8 was shown this, and announced all three.
        let want = "<?xml version=\"1.0\" standalone='no'?>
<!DOCTYPE service-group SYSTEM \"avahi-service.dtd\">
<!-- Written by ksmbd.mountd, which will change it: multicast dns register -->
<service-group>
  <name replace-wildcards=\"yes\">%h</name>
  <service>
    <type>_smb._tcp</type>
    <port>4450</port>
  </service>
  <service>
    <type>_adisk._tcp</type>
    <port>9</port>
    <txt-record>sys=waMa=0,adVF=0x100</txt-record>
    <txt-record>dk0=adVN=Back &amp; up,adVF=0x82</txt-record>
  </service>
  <service>
    <type>_device-info._tcp</type>
    <port>9</port>
    <txt-record>model=RackMac</txt-record>
  </service>
</service-group>
";
        assert_eq!(text_of(ON), want);
    }

    #[test]
    fn comes_and_goes_and_leaves_others_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let (on, off) = (settings(ON).config, settings("[global]\n").config);
        publish_in(dir.path(), &off).unwrap();
        assert!(!path.exists(), "off is the default");
        publish_in(dir.path(), &on).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains(MARK));
        publish_in(dir.path(), &off).unwrap();
        assert!(!path.exists());
        fs::write(&path, "mine").unwrap();
        assert!(publish_in(dir.path(), &on).is_err());
        publish_in(dir.path(), &off).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        assert!(publish_in(&dir.path().join("none"), &on).is_err());
    }
}
