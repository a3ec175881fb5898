//! Brokers. Each broker is a process with its own folder and port.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::PATIENCE;

/// The program of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Redis,
    Nats,
}

/// A broker. Its process ends when this value is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    program: Program,
    port: u16,
    folder: PathBuf,
    options: Vec<String>,
    process: Child,
}

impl Server {
    pub(crate) fn start(program: Program) -> Self {
        let options: &[&str] = match program {
            Program::Redis => &["--appendonly", "yes", "--appendfsync", "always"],
            Program::Nats => &["--jetstream"],
        };
        Self::start_with(program, options)
    }

    pub(crate) fn start_with(program: Program, options: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("hub-{}-{number}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("the folder of the tests is writable");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let process = spawn(program, port, &folder, &options);
        let server = Self { program, port, folder, options, process };
        server.wait_until_it_answers();
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        url(self.program, self.port)
    }

    /// Ends the process at once.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it has not been waited for");
        self.process.wait().expect("it was started here");
    }

    /// Starts the broker again, with the same data.
    pub(crate) fn start_again(&mut self) {
        self.process = spawn(self.program, self.port, &self.folder, &self.options);
        self.wait_until_it_answers();
    }

    /// Deletes the data of the broker. The broker must not be running.
    pub(crate) fn forget_everything(&self) {
        fs::remove_dir_all(&self.folder).expect("it is a folder");
        fs::create_dir_all(&self.folder).expect("the folder of the tests is writable");
    }

    /// Stops the process without ending it, as SIGSTOP does.
    pub(crate) fn stop(&self) {
        self.signal("STOP");
    }

    /// Continues the process.
    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.process.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        assert!(status.success());
    }

    fn wait_until_it_answers(&self) {
        let begin = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(begin.elapsed() < PATIENCE, "{:?} does not listen", self.program);
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

pub(crate) fn url(program: Program, port: u16) -> String {
    match program {
        Program::Redis => format!("redis://127.0.0.1:{port}"),
        Program::Nats => format!("nats://127.0.0.1:{port}"),
    }
}

fn spawn(program: Program, port: u16, folder: &Path, options: &[String]) -> Child {
    let port = port.to_string();
    let mut command = match program {
        Program::Redis => {
            let mut command = Command::new("redis-server");
            command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir"]);
            command.arg(folder);
            command
        }
        Program::Nats => {
            // Debian installs it in a folder that is not on the path of ordinary users.
            let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
            let mut command = Command::new("nats-server");
            command.env("PATH", path);
            command.args(["--port", &port, "--addr", "127.0.0.1", "--store_dir"]).arg(folder);
            command
        }
    };
    command.args(options).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the program is installed")
}
