//! The peers: Python and npm packages, installed below `target/`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::bench;
use crate::needs::search_path;
use crate::run::{Failure, cargo, root, run};

/// Installs the peers, unless the requested versions are already installed.
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

/// Tests our server and client with those of other projects, directly and through proxies.
pub(crate) fn interop(client: Option<&str>) -> Result<(), Failure> {
    install()?;
    bench::build([
        "client_tungstenite",
        "client_yawc",
        "http2_axum",
        "serve_sockudo",
        "serve_tungstenite",
        "http2_yawc",
    ])?;
    let package = ["run", "--release", "--package", "fullduplex-lab", "--bin", "interop", "--"];
    run(cargo(package).args(client).env("PATH", search_path()))
}

fn folder() -> PathBuf {
    root().join("target/peers")
}
