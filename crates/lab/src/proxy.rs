//! Reverse proxies of other projects, in front of a local server.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::ca::Identity;
use crate::folder::Folder;

/// The proxies' idle timeout for a WebSocket.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// How long a proxy may take to listen.
const START: Duration = Duration::from_secs(10);

/// A reverse proxy program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Software {
    /// nginx.
    Nginx,
    /// HAProxy.
    Haproxy,
    /// nghttpx.
    Nghttpx,
    /// Caddy.
    Caddy,
}

/// The version of HTTP between a reverse proxy and the server behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 without TLS.
    Http2,
}

/// A proxy process, which is ended on drop.
#[derive(Debug)]
pub struct Proxy {
    process: Child,
    plain: u16,
    tls: u16,
    /// The files that it reads and writes.
    _folder: Folder,
}

impl Software {
    /// The programs that carry WebSockets over HTTP/1.1.
    pub const HTTP1: [Self; 2] = [Self::Nginx, Self::Haproxy];

    /// The programs that carry WebSockets over HTTP/2.
    pub const HTTP2: [Self; 2] = [Self::Nghttpx, Self::Haproxy];

    /// Returns the name and version of the program.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn version(self) -> io::Result<String> {
        let argument = if self == Self::Caddy { "version" } else { "-v" };
        let output = self.command().arg(argument).output()?;
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        let mut words = printed.split([' ', '/', '\n']);
        let version = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        // Removes the revision of Debian.
        let version = version.and_then(|version| version.split('-').next());
        Ok(format!("{} {}", self.program(), version.unwrap_or_default()))
    }

    fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Nghttpx => "nghttpx",
            Self::Caddy => "caddy",
        }
    }

    /// The configuration of a reverse proxy in front of one server.
    fn config(self) -> &'static str {
        match self {
            Self::Nginx => include_str!("../proxies/nginx.conf"),
            Self::Haproxy => include_str!("../proxies/haproxy.cfg"),
            Self::Nghttpx => include_str!("../proxies/nghttpx.conf"),
            Self::Caddy => include_str!("../proxies/Caddyfile"),
        }
    }

    /// The configuration whose clients use HTTP/2.
    fn http2_config(self, backend: Backend) -> String {
        let (config, [http1, http2]) = match self {
            Self::Haproxy => (include_str!("../proxies/haproxy-http2.cfg"), ["", "proto h2"]),
            _ => (self.config(), ["http/1.1", "h2"]),
        };
        config.replace("@BACKEND@", if backend == Backend::Http2 { http2 } else { http1 })
    }

    fn command(self) -> Command {
        // Debian installs both in /usr/sbin, which is not on the path of ordinary users.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let mut command = Command::new(self.program());
        command.env("PATH", path);
        command
    }
}

impl Proxy {
    /// Starts a proxy on free ports of 127.0.0.1 in front of the server on port `server`.
    ///
    /// # Errors
    /// If the proxy cannot be started or does not listen.
    pub fn start(software: Software, server: u16, identity: &Identity) -> io::Result<Self> {
        Self::start_with(software, software.config(), server, identity)
    }

    /// Starts a proxy whose clients use HTTP/2: with prior knowledge on one port, and by ALPN on the other.
    ///
    /// # Errors
    /// As [`Proxy::start`].
    pub fn start_http2(
        software: Software,
        server: u16,
        backend: Backend,
        identity: &Identity,
    ) -> io::Result<Self> {
        Self::start_with(software, &software.http2_config(backend), server, identity)
    }

    /// Starts a proxy with this configuration. Placeholders between `@` are replaced.
    ///
    /// # Errors
    /// If the proxy cannot be started or does not listen.
    pub fn start_with(
        software: Software,
        config: &str,
        server: u16,
        identity: &Identity,
    ) -> io::Result<Self> {
        let folder = Folder::new();
        let [plain, tls] = [free_port()?, free_port()?];
        let fill_in = |template: &str| {
            template
                .replace("@PLAIN@", &plain.to_string())
                .replace("@TLS@", &tls.to_string())
                .replace("@SERVER@", &server.to_string())
                .replace("@PATIENCE@", &PATIENCE.as_secs().to_string())
        };
        folder.write("cert.pem", &identity.cert_pem);
        folder.write("key.pem", &identity.key_pem);
        folder.write("both.pem", &format!("{}{}", identity.cert_pem, identity.key_pem));
        let mut command = software.command();
        command.current_dir(folder.path());
        let file = folder.write("config", &fill_in(config));
        match software {
            Software::Nginx => {
                command.args(["-e", "stderr", "-p"]).arg(folder.path()).arg("-c").arg(file);
            }
            Software::Haproxy => {
                command.args(["-q", "-db", "-f"]).arg(file);
            }
            Software::Nghttpx => {
                command.arg("--conf").arg(file);
            }
            Software::Caddy => {
                // It stores its state there.
                command.env("HOME", folder.path()).env_remove("XDG_DATA_HOME");
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
                command.stderr(Stdio::null()); // its log
            }
        }
        let mut proxy = Self { process: command.spawn()?, plain, tls, _folder: folder };
        wait_until_it_listens(&mut proxy.process, tls)?;
        Ok(proxy)
    }

    /// Returns the port for HTTP on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.plain
    }

    /// Returns the port for HTTPS on 127.0.0.1.
    pub fn tls_port(&self) -> u16 {
        self.tls
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The ports for other programs. Linux gives higher ones to outgoing connections, and one of these could take a port before
/// a program listens, or while it is restarted.
const PORTS: Range<u16> = 10_000..32_000;

/// Returns a port of 127.0.0.1 that no program uses, and that this process has not returned before.
pub(crate) fn free_port() -> io::Result<u16> {
    static RETURNED: AtomicU32 = AtomicU32::new(0);
    let count = PORTS.len() as u32;
    // Processes that run at the same time begin at different places.
    let start = std::process::id().wrapping_mul(101);
    for _ in 0..count {
        let place = start.wrapping_add(RETURNED.fetch_add(1, Ordering::Relaxed)) % count;
        let port = PORTS.start + place as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::other(format!("all ports of {PORTS:?} are in use")))
}

/// Waits until a started program accepts connections.
pub(crate) fn wait_until_it_listens(process: &mut Child, port: u16) -> io::Result<()> {
    let begin = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if let Some(status) = process.try_wait()? {
            return Err(io::Error::other(format!("the proxy has ended: {status}")));
        }
        if begin.elapsed() > START {
            return Err(io::Error::other("the proxy does not listen"));
        }
        sleep(Duration::from_millis(5));
    }
    Ok(())
}
