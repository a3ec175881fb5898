//! Builds the smallest client with several libraries, and prints what it costs: `bench/sizes/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::browser::{bind, cross};
use crate::needs::has;
use crate::run::{Failure, output, root};

/// A native program: what it is, its name, and its features.
const NATIVE: [(&str, &str, &str); 6] = [
    ("fullduplex (object), all default features", "object", "object-complete"),
    ("fullduplex (object), none", "object", "object"),
    ("fullduplex-net, TLS only", "net", "net-tls"),
    ("fullduplex-net, none", "net", "net"),
    ("tokio-tungstenite, TLS by rustls", "tungstenite", "tungstenite-tls"),
    ("tokio-tungstenite, none", "tungstenite", "tungstenite"),
];

/// A program for a browser: the library, and its name, which is also its feature.
const WEB: [(&str, &str); 5] = [
    ("fullduplex", "web-fullduplex"),
    ("ewebsock", "web-ewebsock"),
    ("tokio-tungstenite-wasm", "web-tungstenite"),
    ("gloo-net", "web-gloo-net"),
    ("web-sys", "web-bare"),
];

/// Where the programs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Host {
    Web,
    Native,
}

/// Prints the table of one host, or of both.
pub(crate) fn sizes(host: Option<Host>) -> Result<(), Failure> {
    if host != Some(Host::Native) {
        web()?;
    }
    if host.is_none() {
        println!();
    }
    if host != Some(Host::Web) {
        native()?;
    }
    Ok(())
}

fn web() -> Result<(), Failure> {
    if let Some(missing) = ["wasm-opt", "gzip", "brotli"].into_iter().find(|it| !has(it)) {
        return Err(Failure(format!(
            "could not measure: {missing} is not installed (Debian: apt-get install binaryen brotli)"
        )));
    }
    println!(
        "In a browser: bytes of WebAssembly after wasm-opt -Os, and of it and its JavaScript compressed.\n"
    );
    println!("{:<44}{:>9}{:>9}{:>9}", "", "wasm", "gzip", "brotli");
    for (library, name) in WEB {
        let program = build_for_web(&crate_folder(), name)?;
        print_web(library, &program, name)?;
    }
    let chat = build_for_web(&root(), "everywhere")?;
    print_web("the chat of examples/everywhere", &chat, "everywhere")?;

    Ok(())
}

fn native() -> Result<(), Failure> {
    println!(
        "Native: crates in the tree, processor seconds of a clean release build, bytes stripped.\n"
    );
    println!("{:<44}{:>9}{:>9}{:>9}", "", "crates", "seconds", "bytes");
    for (library, name, features) in NATIVE {
        let (seconds, program) = build_native(name, features)?;
        let bytes = fs::metadata(program)?.len();
        println!("{library:<44}{:>9}{seconds:>9.0}{bytes:>9}", crates(features)?);
    }
    Ok(())
}

fn crate_folder() -> PathBuf {
    root().join("bench/sizes")
}

fn target_folder(name: &str) -> PathBuf {
    root().join("target/sizes").join(name)
}

/// Returns a cargo command that ignores the profile settings of the environment.
fn cargo(folder: &Path, words: &[&str]) -> Command {
    let mut cargo = crate::run::cargo(words);
    cargo.current_dir(folder).env_remove("CARGO_PROFILE_RELEASE_LTO");
    cargo
}

/// Builds one program for WebAssembly. All of them use the same profile.
fn build_for_web(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let mut build = cargo(folder, &["build", "--quiet", "--release", "--bin", name]);
    if name.starts_with("web-") {
        build.args(["--locked", "--features", name]);
    } else {
        build.args(["--package", name]);
    }
    for (variable, value) in [
        ("OPT_LEVEL", "s"),
        ("LTO", "true"),
        ("CODEGEN_UNITS", "1"),
        ("PANIC", "abort"),
        ("STRIP", "true"),
    ] {
        build.env(format!("CARGO_PROFILE_RELEASE_{variable}"), value);
    }
    build.env("CARGO_TARGET_DIR", target_folder("web"));
    cross(&mut build)?;
    output(&mut build)?;
    Ok(target_folder("web")
        .join("wasm32-unknown-unknown/release")
        .join(name)
        .with_extension("wasm"))
}

fn print_web(library: &str, program: &Path, name: &str) -> Result<(), Failure> {
    let folder = target_folder("bound");
    fs::create_dir_all(&folder)?;
    bind(program, name, &folder)?;
    let bound = folder.join(format!("{name}_bg.wasm"));
    let optimized = folder.join(format!("{name}.wasm"));
    let mut optimize = Command::new("wasm-opt");
    // Versions before 117 do not enable by default what the compiler uses by default.
    optimize.args(["--enable-bulk-memory", "--enable-sign-ext", "--enable-mutable-globals"]);
    optimize.args(["--enable-nontrapping-float-to-int", "--enable-reference-types"]);
    optimize.args(["--enable-multivalue", "--strip-producers", "-Os"]);
    output(optimize.arg(&bound).arg("-o").arg(&optimized))?;
    let script = folder.join(format!("{name}.js"));
    let size = fs::metadata(&optimized)?.len();
    let gzip = compressed("gzip", "-9c", &optimized)? + compressed("gzip", "-9c", &script)?;
    let brotli = compressed("brotli", "-c", &optimized)? + compressed("brotli", "-c", &script)?;
    println!("{library:<44}{size:>9}{gzip:>9}{brotli:>9}");
    Ok(())
}

/// Returns the size of a file after a program has compressed it.
fn compressed(program: &str, option: &str, file: &Path) -> Result<usize, Failure> {
    let output = Command::new(program).arg(option).arg(file).output()?;
    Ok(output.stdout.len())
}

/// Builds a native program from nothing. Returns the processor time of the build, and the program.
fn build_native(name: &str, features: &str) -> Result<(f64, PathBuf), Failure> {
    let folder = target_folder("native");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut build = cargo(&crate_folder(), &["build", "--quiet", "--release", "--locked"]);
    build.args(["--bin", name, "--features", features]).env("CARGO_TARGET_DIR", &folder);
    let before = processor_seconds_of_children()?;
    output(&mut build)?;
    let seconds = processor_seconds_of_children()? - before;
    Ok((seconds, folder.join("release").join(name)))
}

/// Returns the number of crates in the tree, without our program.
fn crates(features: &str) -> Result<usize, Failure> {
    let mut tree = cargo(&crate_folder(), &["tree", "--locked", "--prefix", "none"]);
    let tree =
        output(tree.args(["--edges", "normal,build", "--format", "{p}", "--features", features]))?;
    let names: std::collections::BTreeSet<_> =
        tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect();
    Ok(names.len() - 1)
}

/// Returns the processor time of all processes that have ended, from `/proc/self/stat` of Linux. Other programs that
/// run at the same time hardly change it.
fn processor_seconds_of_children() -> Result<f64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name of the program may contain spaces. The fields after it begin with number 3.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(13).take(2).map(str::parse::<f64>);
    let ticks = ticks.sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS_PER_SECOND)
}

/// The value of `getconf CLK_TCK` on Linux.
const TICKS_PER_SECOND: f64 = 100.0;
