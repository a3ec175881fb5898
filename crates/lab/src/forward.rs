//! Forward proxies of other projects: tinyproxy and Squid (HTTP CONNECT), microsocks and Dante (SOCKS5).

use std::io;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::folder::Folder;
use crate::process::signal;
use crate::proxy::{free_port, wait_until_it_listens};

/// A forward proxy program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Software {
    /// tinyproxy, over HTTP.
    Tinyproxy,
    /// Squid, over HTTP.
    Squid,
    /// microsocks, over SOCKS5.
    Microsocks,
    /// Dante, over SOCKS5. It supports only users of the system, so it runs without a login here.
    Dante,
}

/// A proxy process, which is ended on drop.
#[derive(Debug)]
pub struct Forward {
    software: Software,
    process: Child,
    port: u16,
    /// The files that it reads.
    _folder: Folder,
}

impl Forward {
    /// Starts a proxy on a free port of 127.0.0.1, without a login or for one user and password.
    ///
    /// # Errors
    /// If the proxy cannot be started or does not listen.
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
            Software::Squid => {
                let users = login.map(|(user, password)| {
                    let hashed = hashed(password)?;
                    let file = folder.write("users", &format!("{user}:{hashed}\n"));
                    io::Result::Ok(format!(
                        "auth_param basic program /usr/lib/squid/basic_ncsa_auth {}\n\
                         acl users proxy_auth REQUIRED\nhttp_access allow users\n",
                        file.display()
                    ))
                });
                let access = users.transpose()?.unwrap_or("http_access allow all\n".into());
                let config = format!(
                    "http_port 127.0.0.1:{port}\n{access}http_access deny all\ncache deny all\n\
                     access_log none\ncache_log /dev/null\npid_filename none\nnetdb_filename none\n\
                     visible_hostname localhost\nshutdown_lifetime 0 seconds\n"
                );
                command = Command::new("/usr/sbin/squid");
                command.arg("-N").arg("-f").arg(folder.write("squid.conf", &config));
            }
            Software::Dante => {
                let config = format!(
                    "internal: 127.0.0.1 port = {port}\nexternal: lo\nlogoutput: /dev/null\n\
                     clientmethod: none\nsocksmethod: none\n\
                     client pass {{ from: 127.0.0.0/8 to: 127.0.0.0/8 }}\n\
                     socks pass {{ from: 127.0.0.0/8 to: 127.0.0.0/8 }}\n"
                );
                command = Command::new("/usr/sbin/danted");
                command.arg("-f").arg(folder.write("danted.conf", &config));
                command.arg("-p").arg(folder.path().join("pid"));
            }
            Software::Microsocks => {
                command = Command::new("microsocks");
                command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
                if let Some((user, password)) = login {
                    command.args(["-u", user, "-P", password]);
                }
            }
        }
        // The proxies log their connections.
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut forward = Self { software, process, port, _folder: folder };
        wait_until_it_listens(&mut forward.process, port)?;
        Ok(forward)
    }

    /// Returns the URL of the proxy, with `login` such as `user:password@`.
    pub fn url(&self, login: &str) -> String {
        let scheme = match self.software {
            Software::Tinyproxy | Software::Squid => "http",
            Software::Microsocks | Software::Dante => "socks5",
        };
        format!("{scheme}://{login}127.0.0.1:{}", self.port)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // SIGTERM lets a proxy end its child processes.
        if matches!(self.process.try_wait(), Ok(None)) {
            signal(&self.process, "TERM");
        }
        if !matches!(wait_briefly(&mut self.process), Ok(true)) {
            self.process.kill().ok();
        }
        self.process.wait().ok();
    }
}

/// Returns whether the process ends within a few seconds.
fn wait_briefly(process: &mut Child) -> io::Result<bool> {
    let begin = Instant::now();
    while process.try_wait()?.is_none() {
        if begin.elapsed() > Duration::from_secs(5) {
            return Ok(false);
        }
        sleep(Duration::from_millis(20));
    }
    Ok(true)
}

/// Returns the hash of a password for Squid.
fn hashed(password: &str) -> io::Result<String> {
    let output = Command::new("openssl").args(["passwd", "-apr1", password]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
