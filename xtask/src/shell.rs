//! Shell commands that run in a separate folder, with our programs in the search path.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::needs::search_path;
use crate::run::{Failure, root};

/// A server for a test, on a free port.
pub(crate) const ECHO: &str = "fdx listen 127.0.0.1:0 --echo";

/// A shell whose commands run in an empty folder.
pub(crate) struct Shell {
    folder: PathBuf,
    path: OsString,
}

impl Shell {
    /// Empties `target/NAME` for the commands, and adds `programs` to the front of the search path.
    pub(crate) fn new(name: &str, programs: &[PathBuf]) -> Result<Self, Failure> {
        let folder = root().join("target").join(name);
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder)?;
        let others = search_path();
        let path = env::join_paths(programs.iter().cloned().chain(env::split_paths(&others)))?;
        Ok(Self { folder, path })
    }

    /// Returns a command that does not read the user's settings.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env("PATH", &self.path);
        command.env("HOME", &self.folder).env_remove("CARGO").env_remove("XDG_STATE_HOME");
        for proxy in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(proxy).env_remove(proxy.to_lowercase());
        }
        command.env("COLUMNS", "100");
        command
    }

    /// Runs a command. Returns its output, and its exit code if that is not 0.
    pub(crate) fn run(&self, line: &str) -> Result<String, Failure> {
        println!("$ {line}");
        let output = self.bash(&format!("exec 2>&1\n{line}")).stdin(Stdio::null()).output()?;
        let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            printed += &format!("[{}]\n", output.status);
        }
        Ok(printed)
    }

    /// Starts a background command, and waits until it has printed something.
    pub(crate) fn start(&self, line: &str) -> Result<Background, Failure> {
        println!("$ {line} &");
        let path = self.folder.join(format!("output-{:?}", Instant::now()));
        let file = File::create(&path)?;
        // Without `exec`, the signal would only end the shell.
        let mut bash = self.bash(&format!("exec {line} 2>&1"));
        let process = bash.stdin(Stdio::piped()).stdout(file).spawn()?;
        let mut background =
            Background { process, output: File::open(&path)?, printed: Vec::new() };
        fs::remove_file(path)?;
        let deadline = Instant::now() + PATIENCE;
        while background.read()?.is_empty() {
            if Instant::now() > deadline {
                return Err(Failure(format!("could not start `{line}`: it printed nothing")));
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(background)
    }

    /// Returns a command that runs a bash script.
    pub(crate) fn bash(&self, script: &str) -> Command {
        let mut command = self.command("bash");
        command.args(["-c", script]);
        command
    }
}

/// A background command.
pub(crate) struct Background {
    process: Child,
    output: File,
    printed: Vec<u8>,
}

impl Background {
    /// Returns the URL at the end of the first line that `fdx listen` printed.
    pub(crate) fn url(&self) -> String {
        let printed = String::from_utf8_lossy(&self.printed);
        printed.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap_or_default().into()
    }

    /// Interrupts the command, as Ctrl-C does, and returns what it printed.
    pub(crate) fn end(mut self) -> Result<String, Failure> {
        let interrupt = format!("kill -INT {}", self.process.id());
        Command::new("sh").args(["-c", &interrupt]).status()?;
        let deadline = Instant::now() + PATIENCE;
        while self.process.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return Err(Failure("a command did not end when it was interrupted".into()));
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(String::from_utf8_lossy(self.read()?).into_owned())
    }

    fn read(&mut self) -> Result<&[u8], Failure> {
        self.output.read_to_end(&mut self.printed)?;
        Ok(&self.printed)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);
