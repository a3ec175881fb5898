//! Checks the packages for crates.io, without building them.

use serde_json::Value;

use crate::run::{Failure, cargo, output, run};

/// Fields of the manifest that crates.io and docs.rs show.
const FIELDS: [&str; 8] = [
    "categories",
    "description",
    "documentation",
    "keywords",
    "license",
    "readme",
    "repository",
    "rust_version",
];

const FILES: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md"];

pub(crate) fn check() -> Result<(), Failure> {
    let metadata = output(&mut cargo(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let published = packages.iter().filter(|package| package["publish"].is_null());
    let mut create = cargo(["package", "--no-verify", "--allow-dirty", "--offline"]);
    for package in published {
        let name = package["name"].as_str().unwrap_or_default();
        let is_missing = |field: &&&str| match &package[**field] {
            Value::Array(items) => items.is_empty(),
            value => value.is_null(),
        };
        if let Some(field) = FIELDS.iter().find(is_missing) {
            return Err(Failure(format!("the manifest of {name} has no `{field}`")));
        }
        check_files(name)?;
        create.args(["--package", name]);
    }
    run(&mut create)
}

fn check_files(name: &str) -> Result<(), Failure> {
    let list = output(&mut cargo(["package", "--list", "--allow-dirty", "--package", name]))?;
    if let Some(file) = FILES.iter().find(|file| list.lines().all(|line| line != **file)) {
        return Err(Failure(format!("the package {name} has no {file}")));
    }
    match list.lines().find(|line| line.starts_with("tests/")) {
        Some(test) => Err(Failure(format!("the package {name} contains the test {test}"))),
        None => Ok(()),
    }
}
