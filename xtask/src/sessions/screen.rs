use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::run::{Failure, output, run};
use crate::shell::{LOOK_AGAIN, PATIENCE, Shell};

/// Types these lines into the command, each one when the screen is stable. Returns the screen after the last
/// line.
pub(super) fn record(
    shell: &Shell,
    command: &str,
    typed: &[String],
) -> Result<Vec<String>, Failure> {
    let terminal = Terminal::open(shell, command)?;
    let mut screen = terminal.at_rest("")?;
    for line in typed {
        run(tmux().args(["send-keys", "-t", NAME, "-l", line]))?;
        run(tmux().args(["send-keys", "-t", NAME, "Enter"]))?;
        screen = terminal.at_rest(&screen)?;
    }
    Ok(screen.trim_end().lines().map(str::to_owned).collect())
}

/// A terminal in a separate tmux server, which does not affect the user's sessions.
struct Terminal;

impl Terminal {
    fn open(shell: &Shell, command: &str) -> Result<Self, Failure> {
        let mut tmux = shell.command("tmux");
        tmux.args(["-L", NAME, "-f", "/dev/null", "new-session", "-d", "-s", NAME]);
        // The screen stays after the command has ended.
        tmux.args(["-x", "100", "-y", "40", &format!("{command}; exec sleep 60")]);
        run(&mut tmux)?;
        Ok(Self)
    }

    /// Waits until the screen differs from `before` and has not changed for a while. Returns it.
    fn at_rest(&self, before: &str) -> Result<String, Failure> {
        let deadline = Instant::now() + PATIENCE;
        let mut last = (Instant::now(), before.to_owned());
        loop {
            let now = output(tmux().args(["capture-pane", "-p", "-t", NAME]))?;
            if now != last.1 {
                last = (Instant::now(), now);
            } else if now != before && last.0.elapsed() > REST {
                return Ok(now);
            } else if Instant::now() > deadline {
                return Err(Failure(format!("the screen did not change\n{now}")));
            }
            thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        tmux().arg("kill-server").status().ok();
    }
}

fn tmux() -> Command {
    let mut command = Command::new("tmux");
    command.args(["-L", NAME]);
    command
}

const NAME: &str = "fdx-sessions";
const REST: Duration = Duration::from_millis(400);
