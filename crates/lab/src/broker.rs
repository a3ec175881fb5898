//! Brokers of a hub: `nats-server` and `redis-server`. Each is a process with its own folder and port.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::folder::Folder;
use crate::process::{Process, signal};
use crate::proxy::{free_port, wait_until_it_listens};

/// The program of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerKind {
    /// `redis-server`.
    Redis,
    /// `nats-server`.
    Nats,
}

/// A broker on a free port of 127.0.0.1. Its process ends when this value is dropped.
#[derive(Debug)]
pub struct Broker {
    kind: BrokerKind,
    port: u16,
    options: Vec<String>,
    process: Child,
    folder: Folder,
}

impl BrokerKind {
    /// Returns the URL of a broker on a port of 127.0.0.1.
    pub fn url(self, port: u16) -> String {
        match self {
            Self::Redis => format!("redis://127.0.0.1:{port}"),
            Self::Nats => format!("nats://127.0.0.1:{port}"),
        }
    }
}

impl Broker {
    /// Starts a broker that keeps its data when it is killed.
    ///
    /// # Panics
    /// If the program is not installed or does not listen.
    pub fn start(kind: BrokerKind) -> Self {
        let options: &[&str] = match kind {
            BrokerKind::Redis => &["--appendonly", "yes", "--appendfsync", "always"],
            BrokerKind::Nats => &["--jetstream"],
        };
        Self::start_with(kind, options)
    }

    /// Starts a broker with options of its command line, in which `{port}` is the port.
    ///
    /// # Panics
    /// As [`Broker::start`].
    pub fn start_with(kind: BrokerKind, options: &[&str]) -> Self {
        let folder = Folder::new();
        let port = free_port().expect("there is a free port");
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let process = spawn(kind, port, folder.path(), &options);
        let mut broker = Self { kind, port, options, process, folder };
        broker.wait_until_it_listens();
        broker
    }

    /// Returns the port on which the broker listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL of the broker.
    pub fn url(&self) -> String {
        self.kind.url(self.port)
    }

    /// Returns the figures of the process.
    pub fn process(&self) -> Process {
        Process::of(&self.process)
    }

    /// Ends the process at once.
    ///
    /// # Panics
    /// If the process cannot be ended.
    pub fn kill(&mut self) {
        self.process.kill().expect("it has not been waited for");
        self.process.wait().expect("it was started here");
    }

    /// Starts the broker again, with the same data.
    ///
    /// # Panics
    /// As [`Broker::start`].
    pub fn start_again(&mut self) {
        self.process = spawn(self.kind, self.port, self.folder.path(), &self.options);
        self.wait_until_it_listens();
    }

    /// Deletes the data of the broker. The broker must not be running.
    ///
    /// # Panics
    /// If the folder cannot be deleted.
    pub fn forget_everything(&self) {
        fs::remove_dir_all(self.folder.path()).expect("it is a folder");
        fs::create_dir_all(self.folder.path()).expect("the temporary folder is writable");
    }

    /// Stops the process without ending it, as SIGSTOP does.
    pub fn stop(&self) {
        signal(&self.process, "STOP");
    }

    /// Continues the process.
    pub fn go_on(&self) {
        signal(&self.process, "CONT");
    }

    fn wait_until_it_listens(&mut self) {
        wait_until_it_listens(&mut self.process, self.port).expect("the broker listens");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn spawn(kind: BrokerKind, port: u16, folder: &Path, options: &[String]) -> Child {
    let port = port.to_string();
    let mut command = match kind {
        BrokerKind::Redis => {
            let mut command = Command::new("redis-server");
            command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir"]);
            command.arg(folder);
            command
        }
        BrokerKind::Nats => {
            // Debian installs it in a folder that is not on the path of ordinary users.
            let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
            let mut command = Command::new("nats-server");
            command.env("PATH", path);
            command.args(["--port", &port, "--addr", "127.0.0.1", "--store_dir"]).arg(folder);
            command
        }
    };
    command.args(options.iter().map(|option| option.replace("{port}", &port)));
    command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the program is installed")
}
