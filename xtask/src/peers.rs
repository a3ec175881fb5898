//! The real peers: Python and npm packages that other people wrote, installed below `target/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Failure, Server, build_fdx, root, run};

/// Installs the peers, unless those that stand in the repository are installed already.
pub(crate) fn install() -> Result<(), Failure> {
    let source = root().join("crates/lab/peers");
    let target = folder();
    let installed = target.join("installed");
    let wanted = fs::read_to_string(source.join("requirements.txt"))?
        + &fs::read_to_string(source.join("package.json"))?;
    fs::create_dir_all(&target)?;
    for entry in fs::read_dir(&source)? {
        let entry = entry?;
        fs::copy(entry.path(), target.join(entry.file_name()))?;
    }
    if fs::read_to_string(&installed).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    println!("installing the peers of the tests in {}", target.display());
    let venv = target.join("venv");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    run(Command::new(venv.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--requirement", "requirements.txt"])
        .current_dir(&target))?;
    run(Command::new("npm")
        .args(["install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&target))?;
    fs::write(installed, wanted)?;
    Ok(())
}

/// Lets a browser's own `WebSocket` try our server.
pub(crate) fn browser(chromium: &str) -> Result<(), Failure> {
    install()?;
    build_fdx()?;
    let server = Server::start(&["--protocol", "echo"])?;
    let page = folder().join("browser_client.mjs");
    run(Command::new("node").arg(page).arg(path_of(chromium)).arg(&server.url))
}

/// Where a program is that is given by its name.
fn path_of(program: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&folders).map(|folder| folder.join(program));
    candidates.find(|path| path.is_file()).unwrap_or_else(|| Path::new(program).to_owned())
}

fn folder() -> PathBuf {
    root().join("target/peers")
}
