use std::fmt;
use std::process::{Child, Command, Stdio};

use fullduplex_lab::folder::Folder;

/// A browser that runs without a screen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Browser {
    Chromium,
    Firefox,
}

/// A process with one page. Dropping this ends the process.
pub(crate) struct Window {
    process: Child,
    /// The files of the browser.
    _folder: Folder,
}

impl Browser {
    /// Opens a page, or returns `None` if the browser is not installed.
    pub(crate) fn open(self, url: &str) -> Option<Window> {
        let folder = Folder::new();
        let mut command = match self {
            Self::Chromium => {
                let mut command = Command::new("chromium");
                command
                    .args(["--no-sandbox", "--disable-gpu", "--no-first-run"])
                    .args(["--disable-background-networking", "--disable-component-update"])
                    // Without this option, the browser prints the page and exits.
                    .arg("--remote-debugging-port=0")
                    .arg(format!("--user-data-dir={}", folder.path().display()));
                command
            }
            Self::Firefox => {
                let mut command = Command::new("firefox-esr");
                command.args(["--no-remote", "--profile"]).arg(folder.path());
                command.env("HOME", folder.path());
                command
            }
        };
        let process = command
            .args(["--headless", url])
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Some(Window { process: process.ok()?, _folder: folder })
    }
}

impl fmt::Display for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chromium => "Chromium",
            Self::Firefox => "Firefox",
        })
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
