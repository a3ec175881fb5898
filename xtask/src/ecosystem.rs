//! Tests the npm package with the libraries, test frameworks and bundlers that its users use.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::dist::{copy, npm};
use crate::run::{Failure, output, root, run};

/// Installs all of them below target/, then runs crates/node/ecosystem there.
pub(crate) fn ecosystem() -> Result<(), Failure> {
    let package = root().join("crates/node");
    if !package.join("fullduplex.node").exists() {
        return Err(Failure(
            "could not find the binary: run `npm run build` in crates/node".into(),
        ));
    }
    let folder = root().join("target/ecosystem");
    copy(&package.join("ecosystem"), &folder)?;
    let at = |program: &Path, words: &[&str]| {
        let mut command = Command::new(program);
        command.args(words).current_dir(&folder);
        command
    };
    let ours = format!("dependencies.fullduplex=file:{}", package.display());
    output(npm().args(["pkg", "set", &ours]).current_dir(&folder))?;
    run(npm()
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&folder))?;

    let node = Path::new("node");
    let bin = |name: &str| folder.join("node_modules/.bin").join(name);
    run(&mut at(&bin("tsc"), &["-p", "."]))?;
    // Timers of some of the servers would keep the process alive.
    run(&mut at(node, &["--test-force-exit", "--test-reporter=spec", "libraries.test.mjs"]))?;
    run(&mut at(node, &["--test-reporter=spec", "frameworks/node.test.mjs"]))?;
    let jest = ["--testMatch", "**/frameworks/*.jest.cjs"];
    // The suite is an ES module, which jest loads only with this flag.
    run(at(&bin("jest"), &jest).env("NODE_OPTIONS", "--experimental-vm-modules"))?;
    run(&mut at(&bin("vitest"), &["run", "frameworks/vitest.spec.mjs"]))?;
    run(&mut at(node, &["bundle/build.mjs"]))?;
    let lock = fs::read_to_string(folder.join("node_modules/.package-lock.json"))?;
    println!("{}", versions(&lock)?);
    Ok(())
}

/// Lists the versions of the packages that were tried.
fn versions(lock: &str) -> Result<String, Failure> {
    let lock: serde_json::Value = serde_json::from_str(lock)?;
    let manifest = fs::read_to_string(root().join("crates/node/ecosystem/package.json"))?;
    let manifest: serde_json::Value = serde_json::from_str(&manifest)?;
    let names = manifest["dependencies"].as_object().into_iter().flat_map(|names| names.keys());
    let lines = names.filter_map(|name| {
        let version = lock["packages"][format!("node_modules/{name}")]["version"].as_str()?;
        Some(format!("{name} {version}"))
    });
    Ok(lines.collect::<Vec<_>>().join(", "))
}
