//! The npm packages: `fullduplex`, which is JavaScript and types, and one package for each platform with a
//! binary.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::dist_try;
use crate::needs::has;
use crate::run::{Failure, output, root, run};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The platforms, such as `linux-x64-gnu`; by default all that this machine can build.
    platforms: Vec<String>,
    /// Only check the tarballs of all packages in target/dist, and that none is missing.
    #[arg(long, conflicts_with_all = ["platforms", "try_out"])]
    check: bool,
    /// Publish the packages to a registry on this machine, install them from there without Rust on Node.js,
    /// Bun and Deno, and write docs/platforms.md.
    #[arg(long = "try")]
    try_out: bool,
}

/// A platform that has a separate package.
#[derive(Debug)]
pub(crate) struct Platform {
    /// The name of its package, without the scope.
    pub(crate) name: &'static str,
    os: &'static str,
    cpu: &'static str,
    libc: Option<&'static str>,
}

const fn linux(name: &'static str, cpu: &'static str, libc: &'static str) -> Platform {
    Platform { name, os: "linux", cpu, libc: Some(libc) }
}

const fn other(name: &'static str, os: &'static str, cpu: &'static str) -> Platform {
    Platform { name, os, cpu, libc: None }
}

pub(crate) const PLATFORMS: [Platform; 8] = [
    linux("linux-x64-gnu", "x64", "glibc"),
    linux("linux-x64-musl", "x64", "musl"),
    linux("linux-arm64-gnu", "arm64", "glibc"),
    linux("linux-arm64-musl", "arm64", "musl"),
    other("darwin-x64", "darwin", "x64"),
    other("darwin-arm64", "darwin", "arm64"),
    other("win32-x64", "win32", "x64"),
    other("win32-arm64", "win32", "arm64"),
];

/// The oldest glibc that the binaries run with.
const GLIBC: (u32, u32) = (2, 17);
/// The compiler of Debian's package `rustc-web`; `rust-web-src` has the sources of its standard library.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Builds and packs the packages, or checks the existing ones.
pub(crate) fn dist(options: &Options) -> Result<(), Failure> {
    if options.check {
        return check_tarballs();
    }
    for name in &options.platforms {
        if !PLATFORMS.iter().any(|platform| platform.name == name) {
            let names = PLATFORMS.map(|platform| platform.name).join(", ");
            return Err(Failure(format!("could not build {name}: the platforms are {names}")));
        }
    }
    fs::create_dir_all(folder())?;
    pack_main()?;
    let mut missing = Vec::new();
    for platform in &PLATFORMS {
        let is_named = options.platforms.iter().any(|name| name == platform.name);
        if !is_named && !options.platforms.is_empty() {
            continue;
        }
        match platform.toolchain() {
            Ok(toolchain) => platform.pack(&toolchain)?,
            Err(reason) if is_named => {
                return Err(Failure(format!("could not build {}: {reason}", platform.name)));
            }
            Err(reason) => missing.push(format!("  {}: {reason}", platform.name)),
        }
    }
    if !missing.is_empty() {
        println!("Not built here:\n{}", missing.join("\n"));
    }
    if options.try_out { dist_try::try_out() } else { Ok(()) }
}

/// How the binary for a platform is built on this machine.
struct Toolchain {
    triple: &'static str,
    rustc: PathBuf,
    /// Whether the standard library must be built too.
    builds_std: bool,
    /// Whether `cargo zigbuild` links, against an old glibc or against musl.
    zig: bool,
}

impl Platform {
    /// Returns the toolchain for this platform, or what is missing.
    fn toolchain(&self) -> Result<Toolchain, String> {
        let zig = self.os == "linux";
        let triple = match self.name {
            "linux-x64-gnu" => "x86_64-unknown-linux-gnu",
            "linux-x64-musl" => "x86_64-unknown-linux-musl",
            "linux-arm64-gnu" => "aarch64-unknown-linux-gnu",
            "linux-arm64-musl" => "aarch64-unknown-linux-musl",
            "darwin-x64" => "x86_64-apple-darwin",
            "darwin-arm64" => "aarch64-apple-darwin",
            "win32-x64" if cfg!(windows) => "x86_64-pc-windows-msvc",
            "win32-x64" => "x86_64-pc-windows-gnu",
            _ => "aarch64-pc-windows-msvc",
        };
        if self.os == "darwin" && !cfg!(target_os = "macos") {
            return Err("needs macOS".into());
        }
        if triple.ends_with("msvc") && !cfg!(windows) {
            return Err("needs Windows".into());
        }
        if triple.ends_with("windows-gnu") && !has("x86_64-w64-mingw32-gcc") {
            return Err("needs x86_64-w64-mingw32-gcc (Debian: gcc-mingw-w64-x86-64)".into());
        }
        if zig && !has("cargo-zigbuild") && !has("python3") {
            return Err("needs cargo-zigbuild, or Python to install it".into());
        }
        let default = PathBuf::from(env::var_os("RUSTC").unwrap_or("rustc".into()));
        let compilers = [default, DEBIAN_RUSTC.into()];
        let sysroots = compilers.map(|rustc| {
            let sysroot = output(Command::new(&rustc).args(["--print", "sysroot"])).ok();
            (rustc, sysroot.map(|path| Path::new(path.trim()).join("lib/rustlib")))
        });
        for (folder, builds_std) in
            [(format!("{triple}/lib"), false), ("src/rust/library/std".into(), true)]
        {
            for (rustc, sysroot) in &sysroots {
                if sysroot.as_ref().is_some_and(|sysroot| sysroot.join(&folder).exists()) {
                    return Ok(Toolchain { triple, rustc: rustc.clone(), builds_std, zig });
                }
            }
        }
        Err(format!(
            "needs a standard library: rustup target add {triple} (Debian: rustc-web, rust-web-src)"
        ))
    }

    /// Builds the binary, checks it, and packs it.
    fn pack(&self, toolchain: &Toolchain) -> Result<(), Failure> {
        let binary = toolchain.build()?;
        self.check(&fs::read(&binary)?)?;
        let staged = stage(self.name, &self.manifest()?)?;
        fs::copy(&binary, staged.join("fullduplex.node"))?;
        let about = "A part of the package [fullduplex](https://www.npmjs.com/package/fullduplex), which installs it.";
        fs::write(staged.join("README.md"), format!("# {}\n\n{about}\n", self.package()))?;
        npm_pack(&staged)
    }

    /// Returns the package.json of this platform's package.
    pub(crate) fn manifest(&self) -> Result<Map<String, Value>, Failure> {
        let mut manifest = manifest()?;
        let keep = ["version", "license", "repository", "homepage", "bugs", "engines"];
        manifest.retain(|key, _| keep.contains(&key.as_str()));
        let mut first = Map::new();
        first.insert("name".into(), self.package().into());
        let description = format!("The binary of the package fullduplex for {}", self.name);
        first.insert("description".into(), description.into());
        first.append(&mut manifest);
        first.insert("main".into(), "fullduplex.node".into());
        first.insert("files".into(), json!(["fullduplex.node", "LICENSE-APACHE", "LICENSE-MIT"]));
        first.insert("os".into(), json!([self.os]));
        first.insert("cpu".into(), json!([self.cpu]));
        if let Some(libc) = self.libc {
            first.insert("libc".into(), json!([libc]));
        }
        Ok(first)
    }

    /// Returns the flags with which npm installs for this platform.
    pub(crate) fn npm_flags(&self) -> Vec<String> {
        let mut flags = vec![format!("--os={}", self.os), format!("--cpu={}", self.cpu)];
        flags.extend(self.libc.map(|libc| format!("--libc={libc}")));
        flags
    }

    pub(crate) fn package(&self) -> String {
        format!("@fullduplex/{}", self.name)
    }

    /// Fails if the binary is not stripped, holds paths of this machine, or needs a newer glibc.
    fn check(&self, binary: &[u8]) -> Result<(), Failure> {
        let fail = |what: String| Err(Failure(format!("the binary for {} {what}", self.name)));
        for path in builder_paths() {
            if contains(binary, path.as_bytes()) {
                return fail(format!("has the path {path}"));
            }
        }
        if has_symbols(binary) {
            return fail("is not stripped".into());
        }
        let newest = glibc_versions(binary).into_iter().next_back();
        match (self.libc, newest) {
            (Some("glibc"), Some(version)) if version > GLIBC => {
                fail(format!("needs glibc {}.{}", version.0, version.1))
            }
            (Some("musl"), Some(_)) => fail("needs glibc".into()),
            _ => Ok(()),
        }
    }
}

impl Toolchain {
    /// Builds the library and returns its path.
    fn build(&self) -> Result<PathBuf, Failure> {
        if self.zig {
            install_zig()?;
        }
        let mut target = self.triple.to_owned();
        if target.ends_with("linux-gnu") {
            target += &format!(".{}.{}", GLIBC.0, GLIBC.1);
        }
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo.current_dir(root()).env("CARGO_TARGET_DIR", folder().join("build"));
        cargo.env("CARGO_PROFILE_RELEASE_STRIP", "symbols").env("RUSTC", &self.rustc);
        cargo.env("PATH", path_with_tools()?);
        cargo.arg(if self.zig { "zigbuild" } else { "build" });
        cargo.args(["--release", "--locked", "--package", "fullduplex-node", "--lib"]);
        cargo.args(["--target", &target]);
        if self.builds_std {
            cargo.arg("-Zbuild-std=std,panic_unwind").env("RUSTC_BOOTSTRAP", "1");
        }
        let mut flags: Vec<_> = builder_paths()
            .iter()
            .map(|path| format!("--remap-path-prefix={path}=/build"))
            .collect();
        if self.triple.ends_with("musl") {
            flags.push("-Ctarget-feature=-crt-static".into()); // a library is loaded dynamically
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        let maps: Vec<_> =
            builder_paths().iter().map(|path| format!("-ffile-prefix-map={path}=/build")).collect();
        if !self.triple.ends_with("msvc") {
            cargo.env("CFLAGS", maps.join(" "));
        }
        if self.triple.ends_with("windows-gnu") {
            cargo.env("LIBNODE_PATH", empty_libnode()?);
        }
        run(&mut cargo)?;
        let name = match self.triple {
            triple if triple.contains("windows") => "fullduplex_node.dll",
            triple if triple.contains("apple") => "libfullduplex_node.dylib",
            _ => "libfullduplex_node.so",
        };
        Ok(folder().join("build").join(self.triple).join("release").join(name))
    }
}

/// Packs `fullduplex`: the files that package.json lists, with the packages of all platforms as optional dependencies.
fn pack_main() -> Result<(), Failure> {
    let mut manifest = manifest()?;
    manifest.retain(|key, _| !["scripts", "devDependencies"].contains(&key.as_str()));
    let version = manifest["version"].clone();
    let binaries: Map<_, _> =
        PLATFORMS.iter().map(|platform| (platform.package(), version.clone())).collect();
    manifest.insert("optionalDependencies".into(), binaries.into());
    let staged = stage("fullduplex", &manifest)?;
    let files = manifest["files"].as_array().cloned().unwrap_or_default();
    let files = files.iter().filter_map(Value::as_str);
    for name in files.chain(["README.md"]) {
        copy(&node().join(name), &staged.join(name))?;
    }
    npm_pack(&staged)
}

/// Creates an empty folder for a package, with its package.json and the licences.
fn stage(name: &str, manifest: &Map<String, Value>) -> Result<PathBuf, Failure> {
    let staged = folder().join("npm").join(name);
    fs::remove_dir_all(&staged).ok();
    fs::create_dir_all(&staged)?;
    let text = serde_json::to_string_pretty(manifest)?;
    fs::write(staged.join("package.json"), text + "\n")?;
    for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(root().join(name), staged.join(name))?;
    }
    Ok(staged)
}

fn npm_pack(staged: &Path) -> Result<(), Failure> {
    let mut npm = npm();
    npm.args(["pack", "--silent", "--pack-destination"]).arg(folder());
    run(npm.current_dir(staged))
}

/// Fails if a package is missing in target/dist, or if the main one has a binary.
fn check_tarballs() -> Result<(), Failure> {
    let version = version()?;
    for platform in &PLATFORMS {
        let tarball = tarball(&platform.package(), &version);
        let list = output(Command::new("tar").arg("-tzf").arg(&tarball))?;
        if !list.contains("package/fullduplex.node") {
            return Err(Failure(format!("{} has no binary", tarball.display())));
        }
    }
    let list = output(Command::new("tar").arg("-tzf").arg(tarball("fullduplex", &version)))?;
    if list.contains(".node\n") || !list.contains("package/lib/index.js") {
        return Err(Failure("the main package must be JavaScript and types only".into()));
    }
    println!("{} packages of version {version} are complete", PLATFORMS.len() + 1);
    Ok(())
}

/// Returns where `npm pack` puts a package.
pub(crate) fn tarball(package: &str, version: &str) -> PathBuf {
    let name = package.trim_start_matches('@').replace('/', "-");
    folder().join(format!("{name}-{version}.tgz"))
}

pub(crate) fn version() -> Result<String, Failure> {
    Ok(manifest()?["version"].as_str().unwrap_or_default().to_owned())
}

fn manifest() -> Result<Map<String, Value>, Failure> {
    Ok(serde_json::from_str(&fs::read_to_string(node().join("package.json"))?)?)
}

/// Creates an empty import library. With MinGW, napi-build links the import library of Node.js, but a binary with the
/// feature `dyn-symbols` imports no symbol from it.
fn empty_libnode() -> Result<PathBuf, Failure> {
    let libnode = folder().join("build/libnode");
    fs::create_dir_all(&libnode)?;
    fs::write(libnode.join("libnode.dll"), [])?;
    fs::write(libnode.join("libnode.dll.a"), "!<arch>\n")?;
    Ok(libnode)
}

/// Installs cargo-zigbuild and zig from PyPI below target/, unless cargo-zigbuild is installed.
fn install_zig() -> Result<(), Failure> {
    let venv = tools().join("venv");
    if has("cargo-zigbuild") || venv.join("bin/cargo-zigbuild").exists() {
        return Ok(());
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let mut pip = Command::new(venv.join("bin/pip"));
    run(pip.args(["install", "--quiet"]).args([ZIGBUILD, ZIG]))
}

const ZIGBUILD: &str = "cargo-zigbuild==0.24.1";
const ZIG: &str = "ziglang==0.13.0.post1";

/// Returns the search path, with the programs of [`install_zig`] in front. cargo-zigbuild finds zig through Python.
fn path_with_tools() -> Result<std::ffi::OsString, Failure> {
    let path = env::var_os("PATH").unwrap_or_default();
    let ours = tools().join("venv/bin");
    Ok(env::join_paths(std::iter::once(ours).chain(env::split_paths(&path)))?)
}

/// Returns the paths of this machine that must not occur in a binary.
fn builder_paths() -> Vec<String> {
    let home = env::home_dir().unwrap_or_default();
    let cargo = env::var_os("CARGO_HOME").map_or(home.join(".cargo"), PathBuf::from);
    // rustc uses the last prefix that matches.
    let paths = [home, cargo, root()].map(|path| path.display().to_string());
    paths.into_iter().filter(|path| path.len() > 1).collect()
}

/// Returns whether an ELF file has a section with debug symbols. Returns false for other files.
fn has_symbols(binary: &[u8]) -> bool {
    const SYMTAB: u64 = 2;
    let number = |at: usize, length: usize| {
        let bytes = binary.get(at..at + length)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let types = || {
        let (sections, size, count) = (number(0x28, 8)?, number(0x3a, 2)?, number(0x3c, 2)?);
        Some(
            (0..count).filter_map(move |n| number((sections + n * size) as usize + 4, 4)).collect(),
        )
    };
    let types: Option<Vec<_>> = if binary.starts_with(b"\x7fELF") { types() } else { None };
    types.is_some_and(|types| types.contains(&SYMTAB))
}

/// Returns the versions of glibc that a binary requires.
fn glibc_versions(binary: &[u8]) -> BTreeSet<(u32, u32)> {
    let text = String::from_utf8_lossy(binary);
    let versions = text.split("GLIBC_").skip(1).filter_map(|rest| {
        let (major, rest) = rest.split_once('.')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        Some((major.parse().ok()?, rest[..digits].parse().ok()?))
    });
    versions.collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Copies a file, or a folder with all its contents.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    if !from.is_dir() {
        fs::copy(from, to)?;
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Returns the command npm. On Windows it is a script, which needs its full name.
pub(crate) fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

fn node() -> PathBuf {
    root().join("crates/node")
}

/// Returns the folder for the packages and their contents.
pub(crate) fn folder() -> PathBuf {
    root().join("target/dist")
}

/// Returns the folder for the programs that the command installs.
pub(crate) fn tools() -> PathBuf {
    folder().join("tools")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_glibc_of_a_binary_is_found() {
        let versions = glibc_versions(b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_PRIVATE\0GLIBC_2.17\0");
        assert_eq!(versions.into_iter().next_back(), Some((2, 34)));
    }

    #[test]
    fn a_binary_with_a_path_of_the_builder_is_refused() {
        let platform = &PLATFORMS[0];
        assert!(platform.check(b"\x7fELF GLIBC_2.17\0").is_ok());
        for bad in [root().display().to_string(), "GLIBC_2.18\0".into()] {
            assert!(platform.check(format!("\x7fELF {bad} ").as_bytes()).is_err(), "{bad}");
        }
        assert!(PLATFORMS[1].check(b"GLIBC_2.2.5\0").is_err());
    }

    #[test]
    fn a_test_program_has_symbols() {
        let program = fs::read(env::current_exe().unwrap_or_default()).unwrap_or_default();
        assert_eq!(has_symbols(&program), cfg!(target_os = "linux"));
    }
}
