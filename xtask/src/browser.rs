//! Runs the rows of the reference page in a page, in a worker and in Node.js, and the chat of
//! `examples/everywhere` in a page and in a terminal.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Failure, cargo, output, root, run};

/// Builds the tests of the reference page and the chat for WebAssembly, and runs them.
pub(crate) fn browser() -> Result<(), Failure> {
    let folder = root().join("target/browser");
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder)?;
    // Node.js 20 treats a file as a module only if package.json says so.
    fs::write(folder.join("package.json"), "{ \"type\": \"module\" }\n")?;
    let program = build(["test", "--no-run", "--package", "fullduplex", "--test", "browser"])?;
    bind(&program, "rows", &folder)?;
    let chat = build(["build", "--package", "everywhere"])?;
    bind(&chat, "everywhere", &folder)?;
    fs::copy(root().join("examples/everywhere/index.html"), folder.join("index.html"))?;
    run(&mut cargo(["build", "--package", "fullduplex-cli", "--package", "everywhere"]))?;
    let mut hosts = cargo(["run", "--quiet", "--package", "fullduplex-lab", "--bin", "browser"]);
    run(hosts.arg("--").arg(&folder).arg(root().join("target/debug")))
}

/// Builds one program for WebAssembly, and returns its path.
fn build(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<PathBuf, Failure> {
    let mut cargo = cargo(arguments);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    // A separate folder, because with another compiler cargo would rebuild everything.
    cargo.env("CARGO_TARGET_DIR", root().join("target/wasm"));
    cross(&mut cargo)?;
    let messages = output(&mut cargo)?;
    let mut programs = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    programs.next_back().ok_or_else(|| Failure("cargo has built no program".into()))
}

/// Makes a cargo command build for WebAssembly.
pub(crate) fn cross(cargo: &mut Command) -> Result<(), Failure> {
    cargo.args(["--target", TARGET]);
    if !has_target()? {
        // Debian's compiler builds the standard library from its sources.
        cargo.args(["-Zbuild-std=std,panic_abort"]);
        cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-22");
    }
    Ok(())
}

/// Returns whether the compiler has the target. If neither this compiler nor Debian's has it, prints what to install.
fn has_target() -> Result<bool, Failure> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET);
    if !library.exists() && !Path::new(DEBIAN_RUSTC).exists() {
        return Err(Failure(format!(
            "could not build for WebAssembly: run `rustup target add {TARGET}`, or on Debian `apt-get \
             install rustc-web rust-web-src lld-22`"
        )));
    }
    Ok(library.exists())
}

/// Writes `NAME.js` and `NAME_bg.wasm` for a program.
pub(crate) fn bind(program: &Path, name: &str, folder: &Path) -> Result<(), Failure> {
    let tools = root().join("target/wasm-bindgen");
    let tool = tools.join("bin/wasm-bindgen");
    let version = version_of_crate()?;
    let has_version = output(Command::new(&tool).arg("--version"))
        .is_ok_and(|printed| printed.trim().ends_with(&version));
    if !has_version {
        let mut install = cargo(["install", "--quiet", "--force", "wasm-bindgen-cli"]);
        run(install.args(["--version", &version, "--root"]).arg(&tools))?;
    }
    let mut bind = Command::new(&tool);
    bind.args(["--target", "web", "--no-typescript", "--out-name", name]);
    run(bind.arg("--out-dir").arg(folder).arg(program))
}

/// Returns the version of the crate wasm-bindgen, which the tool must have too.
fn version_of_crate() -> Result<String, Failure> {
    let lock = fs::read_to_string(root().join("Cargo.lock"))?;
    let after = lock.split("name = \"wasm-bindgen\"\nversion = \"").nth(1).unwrap_or_default();
    Ok(after.split('"').next().unwrap_or_default().to_owned())
}

const TARGET: &str = "wasm32-unknown-unknown";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
