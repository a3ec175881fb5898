//! Runs all checks that are not tests.

use serde_json::Value;

use crate::imports;
use crate::run::{Failure, cargo, output, run};

/// Crates that must not be dependencies of the protocol crate.
const ABOVE_THE_WALL: [&str; 9] =
    ["tokio", "mio", "socket2", "rustls", "getrandom", "rand", "fastrand", "futures", "hyper"];

pub(crate) fn all() -> Result<(), Failure> {
    imports::check()?;
    run(&mut cargo(["fmt", "--all", "--check"]))?;
    run(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    run(cargo(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))?;
    other_workspaces()?;
    proto_alone()?;
    rust_version()?;
    deny()
}

/// Checks the other workspaces, whose dependencies must not reach the product.
fn other_workspaces() -> Result<(), Failure> {
    for folder in ["fuzz", "bench"] {
        let manifest = format!("--manifest-path={folder}/Cargo.toml");
        run(&mut cargo(["fmt", &manifest, "--check"]))?;
        run(&mut cargo(["clippy", "--locked", &manifest, "--", "--deny", "warnings"]))?;
    }
    Ok(())
}

/// Checks that the protocol crate builds alone, and depends on no crate that does I/O or generates
/// random numbers. Clippy checks calls to clocks and sockets of `std`: see
/// `crates/proto/clippy.toml`.
fn proto_alone() -> Result<(), Failure> {
    run(&mut cargo(["build", "--package", "fullduplex-proto"]))?;
    let tree = ["tree", "--package", "fullduplex-proto", "--edges", "normal", "--prefix", "none"];
    let tree = output(cargo(tree).args(["--format", "{p}"]))?;
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    match names.into_iter().find(|name| ABOVE_THE_WALL.contains(name)) {
        Some(name) => {
            Err(Failure(format!("fullduplex-proto reaches `{name}`, which is above its wall")))
        }
        None => Ok(()),
    }
}

/// Checks that no dependency needs a newer compiler than the workspace declares. Clippy's
/// `incompatible_msrv` checks our own code.
fn rust_version() -> Result<(), Failure> {
    let metadata = output(&mut cargo(["metadata", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = packages.iter().find(|package| package["name"] == "fullduplex");
    let ours = ours.map(version).ok_or(Failure("cargo metadata lists no fullduplex".into()))?;
    match packages.iter().find(|package| version(package) > ours) {
        Some(package) => Err(Failure(format!(
            "{} needs Rust {}, which is above our rust-version",
            package["name"], package["rust_version"]
        ))),
        None => Ok(()),
    }
}

fn version(package: &Value) -> [u32; 3] {
    let text = package["rust_version"].as_str().unwrap_or_default();
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or_default());
    [(); 3].map(|()| parts.next().unwrap_or_default())
}

fn deny() -> Result<(), Failure> {
    run(&mut cargo(["deny", "check", "bans", "licenses", "sources"]))
}
