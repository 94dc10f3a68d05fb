// SPDX-License-Identifier: GPL-2.0

//! The start-up request: the global configuration, as the module takes it.

use ksmbd_tools::config::value::Setting;
use ksmbd_tools::config::Global;
use ksmbd_tools::subauth::SubAuth;
use smb_proto::ipc::{
    daemon_feature, global_flag, setting, Startup, StartupExtension, StartupRequest, Text,
};
use smb_proto::wire::{Full, Writer};
use zerocopy::IntoBytes;

use crate::kerberos::Kerberos;

/// The payload of the start-up request.
///
/// # Errors
///
/// [`Full`] if a text is longer than its field, which the configuration's own checks exclude.
pub fn payload(global: &Global, sub_auth: SubAuth) -> Result<Vec<u8>, Full> {
    let mut interfaces = Vec::new();
    if global.bind_interfaces_only {
        for name in &global.interfaces {
            interfaces.extend_from_slice(name.as_bytes());
            interfaces.push(0);
        }
    }
    let startup = Startup {
        head: head(global, sub_auth)?,
        interfaces: &interfaces,
    };
    let mut payload = vec![0; startup.head.as_bytes().len() + interfaces.len()];
    startup.write(&mut Writer::new(&mut payload))?;
    Ok(payload)
}

fn head(global: &Global, sub_auth: SubAuth) -> Result<StartupRequest, Full> {
    Ok(StartupRequest {
        flags: flags(global),
        signing: match global.signing {
            Setting::Disabled => setting::DISABLED,
            Setting::Enabled => setting::ENABLED,
            Setting::Auto => setting::AUTO,
            Setting::Mandatory => setting::MANDATORY,
        },
        min_protocol: Text::new(global.min_protocol.unwrap_or_default().as_bytes())?,
        max_protocol: Text::new(global.max_protocol.unwrap_or_default().as_bytes())?,
        netbios_name: Text::new(global.netbios_name.as_bytes())?,
        workgroup: Text::new(global.workgroup.as_bytes())?,
        server_string: Text::new(global.server_string.as_bytes())?,
        tcp_port: global.tcp_port,
        ipc_timeout: global.ipc_timeout,
        deadtime: global.deadtime,
        max_open_files: global.max_open_files,
        max_write: global.max_write,
        max_read: global.max_read,
        max_transact: global.max_transact,
        fake_fscaps: global.fake_fscaps,
        sub_auth,
        max_credits: global.max_credits,
        smbd_max_io: global.smbd_max_io,
        max_connections: global.max_connections,
        bind_interfaces_only: global.bind_interfaces_only.into(),
        max_connections_per_address: global.max_ip_connections,
        aapl_model: Text::new(global.aapl_model.as_bytes())?,
        max_sessions_per_connection: global.max_sessions_per_connection,
        reserved: [0; 455],
        extension: StartupExtension {
            mark: StartupExtension::MARK,
            features: features(global),
        },
        // Set by `Startup::write`.
        interfaces_size: 0,
    })
}

fn features(global: &Global) -> u32 {
    if global.kerberos && Kerberos::IS_BUILT {
        daemon_feature::KERBEROS
    } else {
        0
    }
}

fn flags(global: &Global) -> u32 {
    let encryption = match global.encryption {
        Setting::Mandatory => global_flag::ENCRYPTION,
        Setting::Disabled => global_flag::ENCRYPTION_OFF,
        Setting::Enabled | Setting::Auto => 0,
    };
    let bit = |on: bool, bit: u32| if on { bit } else { 0 };
    encryption
        | bit(global.leases, global_flag::LEASES)
        | bit(global.multi_channel, global_flag::MULTICHANNEL)
        | bit(global.durable_handles, global_flag::DURABLE_HANDLES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::settings;

    #[test]
    fn says_what_is_configured() {
        let settings = settings(
            "[global]\nnetbios name = BOX\nserver min protocol = SMB3\nserver signing = mandatory\nsmb2 leases = yes\n\
             smb3 encryption = mandatory\ntcp port = 4450\nbind interfaces only = yes\ninterfaces = eth0, lo\nsmb2 max read = 8M\n",
        );
        let payload = payload(&settings.config.global, [1, 2, 3]).unwrap();
        let startup = Startup::parse(&payload).unwrap();
        let head = startup.head;
        assert_eq!(head.netbios_name.bytes(), b"BOX");
        assert_eq!(head.min_protocol.bytes(), b"SMB3_11");
        assert!(head.max_protocol.is_empty());
        assert_eq!({ head.signing }, setting::MANDATORY);
        assert_eq!(
            { head.flags },
            global_flag::LEASES | global_flag::ENCRYPTION
        );
        assert_eq!({ head.tcp_port }, 4450);
        assert_eq!({ head.max_read }, 8 << 20);
        assert_eq!({ head.max_write }, 0);
        assert_eq!({ head.sub_auth }, [1, 2, 3]);
        assert_eq!(
            startup.interface_names().collect::<Vec<_>>(),
            [b"eth0".as_slice(), b"lo"]
        );
        assert_eq!({ head.extension }.known_features(), Some(0));
    }

    #[test]
    fn kerberos_is_offered_if_it_is_built_and_configured() {
        let settings = settings("[global]\nkerberos support = yes\n");
        let payload = payload(&settings.config.global, [1, 2, 3]).unwrap();
        let head = Startup::parse(&payload).unwrap().head;
        let want = u32::from(Kerberos::IS_BUILT) * daemon_feature::KERBEROS;
        assert_eq!({ head.extension }.known_features(), Some(want));
    }
}
