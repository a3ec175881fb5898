use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::scratch;
use crate::run::Failure;

/// Where commands of the page run: in an empty folder, with our `fdx` on the path.
pub(super) struct Shell {
    path: String,
}

impl Shell {
    pub(super) fn new(folder: &Path) -> Result<Self, Failure> {
        fs::remove_dir_all(scratch()).ok();
        fs::create_dir_all(scratch())?;
        let path = std::env::var("PATH").unwrap_or_default();
        Ok(Self { path: format!("{}:{path}", folder.display()) })
    }

    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(scratch()).env("PATH", &self.path);
        // Nothing of whoever records it shows.
        command.env("HOME", scratch()).env_remove("CARGO").env_remove("XDG_STATE_HOME");
        for proxy in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(proxy).env_remove(proxy.to_lowercase());
        }
        command.env("COLUMNS", "100");
        command
    }

    /// Runs the command to its end; returns what it printed, and its exit code if that is not 0.
    pub(super) fn run(&self, line: &str) -> Result<String, Failure> {
        println!("$ {line}");
        let output = self.bash(&format!("exec 2>&1\n{line}")).stdin(Stdio::null()).output()?;
        let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            printed += &format!("[{}]\n", output.status);
        }
        Ok(printed)
    }

    /// Starts a command that goes on; returns when it has printed something.
    pub(super) fn start(&self, line: &str) -> Result<Background, Failure> {
        println!("$ {line} &");
        let path = scratch().join(format!("output-{:?}", Instant::now()));
        let file = File::create(&path)?;
        // The command takes the place of the shell, so that its end is the command's.
        let mut bash = self.bash(&format!("exec {line} 2>&1"));
        let process = bash.stdin(Stdio::piped()).stdout(file).spawn()?;
        let mut background =
            Background { process, output: File::open(&path)?, printed: Vec::new() };
        fs::remove_file(path)?;
        let deadline = Instant::now() + PATIENCE;
        while background.read()?.is_empty() {
            if Instant::now() > deadline {
                return Err(Failure(format!("`{line}` says nothing")));
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(background)
    }

    fn bash(&self, script: &str) -> Command {
        let mut command = self.command("bash");
        command.args(["-c", script]);
        command
    }
}

/// A command that goes on while others run.
pub(super) struct Background {
    process: Child,
    output: File,
    printed: Vec<u8>,
}

impl Background {
    /// Interrupts it, as Ctrl-C does; returns what it printed.
    pub(super) fn end(mut self) -> Result<String, Failure> {
        let process = self.process.id().to_string();
        Command::new("kill").args(["-INT", &process]).status()?;
        let deadline = Instant::now() + PATIENCE;
        while self.process.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return Err(Failure("a command does not end when it is interrupted".into()));
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

pub(super) const PATIENCE: Duration = Duration::from_secs(10);
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(20);
