use std::process::{Child, Command, Stdio};

use fullduplex_lab::folder::Folder;

/// A Chromium process with one page. Dropping this ends the process.
pub(crate) struct Chromium {
    process: Child,
    /// The files of the browser.
    _folder: Folder,
}

impl Chromium {
    pub(crate) fn open(url: &str) -> Self {
        let folder = Folder::new();
        let process = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update"])
            // Without this option, the browser prints the page and exits.
            .arg("--remote-debugging-port=0")
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .arg(url)
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this needs Chromium, as `chromium`");
        Self { process, _folder: folder }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
