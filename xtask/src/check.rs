//! Runs all checks that are not tests.

use serde_json::Value;

use crate::imports;
use crate::packages;
use crate::run::{Failure, cargo, output, run};

/// Crates that must not be dependencies of the protocol crate.
const ABOVE_THE_WALL: &[&str] =
    &["tokio", "mio", "socket2", "rustls", "getrandom", "rand", "fastrand", "futures", "hyper"];

/// Crates that must not be dependencies of a client without features.
const BY_FEATURES: &[&str] =
    &["rustls", "tokio-rustls", "ring", "cc", "zlib-rs", "hyper", "axum-core"];

/// Crates that must not be dependencies in a browser.
const NATIVE: &[&str] = &["tokio", "mio", "socket2", "rustls", "ring", "fullduplex-net"];

pub(crate) fn all() -> Result<(), Failure> {
    imports::check()?;
    run(&mut cargo(["fmt", "--all", "--check"]))?;
    run(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    run(cargo(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))?;
    other_workspaces()?;
    proto_alone()?;
    without_features()?;
    reaches_none(&["fullduplex", "--target", "wasm32-unknown-unknown"], NATIVE)?;
    rust_version()?;
    packages::check()?;
    deny()
}

/// Checks the other workspaces, whose dependencies must not reach the product.
fn other_workspaces() -> Result<(), Failure> {
    for (folder, features) in [
        ("fuzz", &[][..]),
        ("bench", &[]),
        // The programs of the other libraries do not change with ours.
        ("bench/sizes", &["--features", "object,net,web-fullduplex"]),
    ] {
        let manifest = format!("--manifest-path={folder}/Cargo.toml");
        run(&mut cargo(["fmt", &manifest, "--check"]))?;
        let mut clippy = cargo(["clippy", "--locked", &manifest]);
        run(clippy.args(features).args(["--", "--deny", "warnings"]))?;
    }
    Ok(())
}

/// Checks that the protocol crate builds alone, and depends on no crate that does I/O or generates
/// random numbers. Clippy checks calls to clocks and sockets of `std`: see
/// `crates/proto/clippy.toml`.
fn proto_alone() -> Result<(), Failure> {
    run(&mut cargo(["build", "--package", "fullduplex-proto"]))?;
    reaches_none(&["fullduplex-proto"], ABOVE_THE_WALL)
}

/// Checks that the libraries build without features. A client without TLS, proxies and compression is small.
fn without_features() -> Result<(), Failure> {
    let mut clippy = cargo(["clippy", "--no-default-features"]);
    for name in ["fullduplex-proto", "fullduplex-net", "fullduplex", "fullduplex-hub"] {
        clippy.args(["--package", name]);
    }
    run(clippy.args(["--", "--deny", "warnings"]))?;
    reaches_none(&["fullduplex", "--no-default-features"], BY_FEATURES)
}

/// Fails if a package has one of these dependencies. `package` may have further arguments of `cargo tree`.
fn reaches_none(package: &[&str], names: &[&str]) -> Result<(), Failure> {
    let mut tree =
        cargo(["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    let tree = output(tree.arg("--package").args(package))?;
    let reached = tree.lines().filter_map(|line| line.split(' ').next());
    match reached.into_iter().find(|name| names.contains(name)) {
        Some(name) => {
            Err(Failure(format!("`cargo tree --package {}` has `{name}`", package.join(" "))))
        }
        None => Ok(()),
    }
}

/// Checks that no dependency declares a newer compiler than the workspace. The command has a version of its own. Clippy's
/// `incompatible_msrv` checks our own code.
fn rust_version() -> Result<(), Failure> {
    let metadata = output(&mut cargo(["metadata", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = packages.iter().find(|package| package["name"] == "fullduplex");
    let ours = ours.map(version).ok_or(Failure("cargo metadata lists no fullduplex".into()))?;
    let mut libraries = packages.iter().filter(|package| package["name"] != "fullduplex-cli");
    match libraries.find(|package| version(package) > ours) {
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
