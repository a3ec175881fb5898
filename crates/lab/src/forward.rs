//! Forward proxies that other people wrote: tinyproxy (HTTP CONNECT) and microsocks (SOCKS5).

use std::io;
use std::process::{Child, Command, Stdio};

use crate::folder::Folder;
use crate::proxy::{free_port, wait_until_it_listens};

/// A program that is a forward proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Software {
    /// tinyproxy, over HTTP.
    Tinyproxy,
    /// microsocks, over SOCKS5.
    Microsocks,
}

/// A proxy in a process of its own, which ends with this value.
#[derive(Debug)]
pub struct Forward {
    software: Software,
    process: Child,
    port: u16,
    /// What it reads.
    _folder: Folder,
}

impl Forward {
    /// Starts a proxy on a free port of 127.0.0.1, for everybody or for one user with a password.
    ///
    /// # Errors
    /// If it cannot be started, or does not listen.
    pub fn start(software: Software, login: Option<(&str, &str)>) -> io::Result<Self> {
        let folder = Folder::new();
        let port = free_port()?;
        let mut command;
        match software {
            Software::Tinyproxy => {
                let login = login.map(|(user, password)| format!("BasicAuth {user} {password}\n"));
                let config = format!(
                    "Listen 127.0.0.1\nPort {port}\nTimeout 60\nMaxClients 50\nLogLevel Critical\n{}",
                    login.unwrap_or_default()
                );
                command = Command::new("tinyproxy");
                command.arg("-d").arg("-c").arg(folder.write("tinyproxy.conf", &config));
            }
            Software::Microsocks => {
                command = Command::new("microsocks");
                command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
                if let Some((user, password)) = login {
                    command.args(["-u", user, "-P", password]);
                }
            }
        }
        // Both write down who connects.
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut forward = Self { software, process, port, _folder: folder };
        wait_until_it_listens(&mut forward.process, port)?;
        Ok(forward)
    }

    /// Its URL, with `login` such as `user:password@`.
    pub fn url(&self, login: &str) -> String {
        let scheme = match self.software {
            Software::Tinyproxy => "http",
            Software::Microsocks => "socks5",
        };
        format!("{scheme}://{login}127.0.0.1:{}", self.port)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
