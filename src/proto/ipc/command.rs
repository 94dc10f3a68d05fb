// SPDX-License-Identifier: GPL-2.0

//! The commands of the family, which are also the types of the messages' attributes.

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)*) => {
        /// Generic netlink commands; also the type of the message's one attribute.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Command {
            $($(#[$doc])* $name = $value,)*
        }

        impl Command {
            /// The command with the number `value`.
            pub fn from_number(value: u8) -> Option<Command> {
                match value {
                    $($value => Some(Command::$name),)*
                    _ => None,
                }
            }

            /// The command's number in the generic netlink header.
            pub const fn number(self) -> u8 {
                match self {
                    $(Command::$name => $value,)*
                }
            }

            /// The type of the message's attribute.
            pub const fn attribute(self) -> u16 {
                match self {
                    $(Command::$name => $value,)*
                }
            }
        }
    };
}

commands! {
    /// Kernel to daemon: [`Heartbeat`](super::Heartbeat); wants no answer.
    Heartbeat = 1,
    /// Daemon to kernel: [`StartupRequest`](super::StartupRequest) with the interface list; makes the sender the daemon.
    StartingUp = 2,
    /// Unused by every known peer.
    ShuttingDown = 3,
    /// Kernel to daemon: [`LoginRequest`](super::LoginRequest).
    LoginRequest = 4,
    /// Daemon to kernel: [`LoginResponse`](super::LoginResponse).
    LoginResponse = 5,
    /// Kernel to daemon: [`ShareConfigRequest`](super::ShareConfigRequest).
    ShareConfigRequest = 6,
    /// Daemon to kernel: [`ShareConfigResponse`](super::ShareConfigResponse).
    ShareConfigResponse = 7,
    /// Kernel to daemon: [`TreeConnectRequest`](super::TreeConnectRequest).
    TreeConnectRequest = 8,
    /// Daemon to kernel: [`TreeConnectResponse`](super::TreeConnectResponse).
    TreeConnectResponse = 9,
    /// Kernel to daemon: [`TreeDisconnectRequest`](super::TreeDisconnectRequest); wants no answer.
    TreeDisconnectRequest = 10,
    /// Kernel to daemon: [`LogoutRequest`](super::LogoutRequest); wants no answer.
    LogoutRequest = 11,
    /// Kernel to daemon: [`RpcCommand`](super::RpcCommand).
    RpcRequest = 12,
    /// Daemon to kernel: [`RpcCommand`](super::RpcCommand).
    RpcResponse = 13,
    /// Kernel to daemon: [`SpnegoRequest`](super::SpnegoRequest).
    SpnegoRequest = 14,
    /// Daemon to kernel: [`SpnegoResponse`](super::SpnegoResponse).
    SpnegoResponse = 15,
    /// Kernel to daemon: [`LoginRequest`](super::LoginRequest), asking for supplementary groups.
    LoginExtRequest = 16,
    /// Daemon to kernel: [`LoginResponseExt`](super::LoginResponseExt).
    LoginExtResponse = 17,
}

impl Command {
    /// The command that answers this one, or `None` if nothing does.
    pub const fn answer(self) -> Option<Command> {
        match self {
            Command::LoginRequest => Some(Command::LoginResponse),
            Command::ShareConfigRequest => Some(Command::ShareConfigResponse),
            Command::TreeConnectRequest => Some(Command::TreeConnectResponse),
            Command::RpcRequest => Some(Command::RpcResponse),
            Command::SpnegoRequest => Some(Command::SpnegoResponse),
            Command::LoginExtRequest => Some(Command::LoginExtResponse),
            _ => None,
        }
    }

    /// Whether the kernel takes this command from user space.
    pub const fn is_for_kernel(self) -> bool {
        matches!(
            self,
            Command::StartingUp
                | Command::LoginResponse
                | Command::ShareConfigResponse
                | Command::TreeConnectResponse
                | Command::RpcResponse
                | Command::SpnegoResponse
                | Command::LoginExtResponse
        )
    }
}
