//! Builds for other targets, runs the tests there with an emulator, and writes docs/targets.md.

mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::needs::has;
use crate::run::{Failure, cargo, commit, date, output, root};
use report::{Outcome, Results, Rows};

/// A target, and what is done for it.
#[derive(Clone, Copy)]
struct Target {
    triple: &'static str,
    /// What is special about it.
    about: &'static str,
    packages: &'static [&'static str],
    /// The programs and files that it needs. The first one is the linker.
    tools: &'static [&'static str],
    tests: Tests,
    /// Test programs such as `net/it`, or tests as `net/it::test`, that are not run, each with the reason.
    left_out: &'static [(&'static str, &'static str)],
}

/// How the test programs of a target are run.
#[derive(Debug, Clone, Copy)]
enum Tests {
    /// As they are: Linux on x64 runs programs of 32 bits.
    Direct,
    Qemu {
        program: &'static str,
        /// The folder with the target's dynamic linker and libraries.
        libraries: &'static str,
    },
    Wine,
    /// Not at all. The packages are only checked.
    None,
}

const ALL: &[&str] = &["fullduplex-proto", "fullduplex-net", "fullduplex", "fullduplex-cli"];
const PROTO: &[&str] = &["fullduplex-proto"];

const TARGETS: [Target; 5] = [
    Target {
        triple: "s390x-unknown-linux-gnu",
        about: "big endian",
        packages: PROTO,
        tools: &["s390x-linux-gnu-gcc", "qemu-s390x"],
        tests: Tests::Qemu { program: "qemu-s390x", libraries: "/usr/s390x-linux-gnu" },
        left_out: &[("proto/hostile::linear_time", SLOW)],
    },
    Target {
        triple: "i686-unknown-linux-gnu",
        about: "32 bits",
        packages: ALL,
        tools: &["i686-linux-gnu-gcc", "/usr/lib32/libgcc_s.so.1"],
        tests: Tests::Direct,
        left_out: &[],
    },
    Target {
        triple: "aarch64-unknown-linux-gnu",
        about: "ARM",
        packages: ALL,
        // With the last one, the kernel runs the programs that a test starts.
        tools: &["aarch64-linux-gnu-gcc", "qemu-aarch64", "/proc/sys/fs/binfmt_misc/qemu-aarch64"],
        tests: Tests::Qemu { program: "qemu-aarch64", libraries: "/usr/aarch64-linux-gnu" },
        left_out: &[
            ("proto/hostile::linear_time", SLOW),
            ("net/closing_matrix", SLOW),
            ("net/it::server::driving::dropped_futures_lose_nothing", SLOW),
        ],
    },
    Target {
        triple: "x86_64-pc-windows-gnu",
        about: "Windows",
        packages: ALL,
        tools: &["x86_64-w64-mingw32-gcc", "wine"],
        tests: Tests::Wine,
        left_out: &[
            ("cli/probe::a_certificate_is_shown_whether_or_not_it_is_trusted", REVOCATION),
            ("cli/fdx::connect_rejects_an_unknown_ca", REVOCATION),
            ("fullduplex/it::bad_tls::an_unknown_authority_fails", REVOCATION),
            ("cli/tap::a_reset_by_the_server_is_forwarded", RESET),
            ("cli/tap::a_reset_by_the_client_is_shown", RESET),
            ("net/it::server::limits::slow_requests_are_dropped", MANY),
            ("net/it::server::timeouts::a_thousand_connections_share_a_timer", MANY),
            ("fullduplex/it::object::messages_that_race_with_a_close_are_written_before_it", SLOW),
            ("net/closing_matrix", SLOW),
            ("net/costs::group", MANY),
            ("net/costs::memory_budget::the_contexts_of_all_clients_stay_within_the_budget", MANY),
            ("net/costs::hostile::a_closing_peer_that_never_pauses_is_dropped", SLOW),
            ("net/costs::slow_readers::a_slow_reader_does_not_slow_other_clients", SLOW),
        ],
    },
    Target {
        triple: "aarch64-apple-darwin",
        about: "macOS",
        packages: ALL,
        tools: &[],
        tests: Tests::None,
        left_out: &[],
    },
];

const REVOCATION: &str = "Wine reports an unknown authority as a failed check for revocation";
/// With Winsock alone: the sender sets SO_LINGER to zero and closes; a later `recv` of the other end returns 0 under Wine
/// 8, and not WSAECONNRESET. A `recv` that waits already fails with WSAECONNRESET, as on Windows.
const RESET: &str = "Wine reports a reset as the end of the stream, unless a receive waits for it";
/// With a thousand connections in one process, a poll takes about 40 ms, and `wineserver` uses a processor fully.
const MANY: &str = "Wine is too slow for hundreds of connections in one process";
const SLOW: &str = "it has time limits, and the emulator is slow";

/// A program of tests.
#[derive(Debug, PartialEq)]
struct Program {
    /// The folder of its package and its own name, such as `net/it`.
    name: String,
    path: PathBuf,
    /// The folder of its package, in which it runs.
    package: PathBuf,
}

/// Builds and tests all targets, or those whose triple is in `names`, with all of their packages or only one.
/// Stops a test program after `minutes`: one that hangs in an emulator must not hang this command.
pub(crate) fn targets(
    names: &[String],
    package: Option<&str>,
    minutes: u64,
) -> Result<(), Failure> {
    if let Some(name) = names.iter().find(|name| TARGETS.iter().all(|it| it.triple != **name)) {
        let known = TARGETS.map(|target| target.triple).join(", ");
        return Err(Failure(format!("could not build for {name}: the targets are {known}")));
    }
    let chosen =
        |target: &&Target| names.is_empty() || names.iter().any(|name| name == target.triple);
    let start = start()?;
    let mut failed = Vec::new();
    for target in TARGETS.iter().filter(chosen) {
        let target = &target.with(package)?;
        let outcome = target.run(minutes, &start)?;
        println!("{}: {outcome:?}", target.triple);
        if !outcome.is_good {
            failed.push(target.triple);
        }
        target.record(&outcome, &start)?;
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure(format!("failed: {}; see docs/targets.md", failed.join(", "))))
    }
}

/// Returns the commit that is tested, and the date.
fn start() -> Result<String, Failure> {
    Ok(format!("{}, {}", commit()?, date()?))
}

impl Target {
    /// Returns this target with only one of its packages, if `package` names one.
    fn with(mut self, package: Option<&str>) -> Result<Self, Failure> {
        if let Some(package) = package {
            let at = self.packages.iter().position(|name| *name == package);
            let at = at.ok_or_else(|| {
                let known = self.packages.join(", ");
                Failure(format!("could not build {package}: {} has {known}", self.triple))
            })?;
            self.packages = &self.packages[at..=at];
        }
        Ok(self)
    }

    /// Writes the row of this target, and keeps those of the others.
    fn record(&self, outcome: &Outcome, start: &str) -> Result<(), Failure> {
        let mut rows = Rows::read()?;
        rows.set(self, outcome, start);
        rows.write()
    }

    fn run(&self, minutes: u64, start: &str) -> Result<Outcome, Failure> {
        if let Some(tool) = self.tools.iter().find(|tool| !has(tool)) {
            let built = format!("not tried: {tool} is not installed");
            return Ok(Outcome { built, tests: String::new(), is_good: false });
        }
        let build = self.build()?;
        let built = match (build.succeeded, build.warnings) {
            (true, 0) => "yes".into(),
            (true, warnings) => format!("yes, {warnings} warnings"),
            (false, _) => "no".into(),
        };
        let is_good = build.succeeded && build.warnings == 0;
        if matches!(self.tests, Tests::None) {
            return Ok(Outcome { built, tests: "checked only: no emulator".into(), is_good });
        }
        if !build.succeeded {
            return Ok(Outcome { built, tests: "not run".into(), is_good });
        }
        let mut results = Results::of(build.programs.len(), minutes);
        let outcome = |results: &Results| Outcome {
            built: built.clone(),
            tests: results.to_string(),
            is_good: is_good && results.unfinished.is_empty() && results.failed.is_empty(),
        };
        for program in &build.programs {
            self.test(program, &mut results)?;
            // If this command is interrupted, the row says how far it came.
            self.record(&outcome(&results), start)?;
        }
        Ok(outcome(&results))
    }

    fn build(&self) -> Result<Build, Failure> {
        let mut build = match self.tests {
            Tests::None => self.cargo(&["clippy", "--all-targets"])?,
            _ => self.cargo(&["test", "--no-run"])?,
        };
        build.args(["--message-format", "json"]).stderr(Stdio::inherit());
        let output = build.output()?;
        Ok(Build::read(&String::from_utf8_lossy(&output.stdout), output.status.success()))
    }

    /// Runs a test program, unless it is left out.
    fn test(&self, program: &Program, results: &mut Results) -> Result<(), Failure> {
        let left_out = || self.left_out.iter().map(|(name, _)| *name);
        if left_out().any(|name| name == program.name) {
            results.total -= 1;
            return Ok(());
        }
        let mut test = self.runner(program, results.minutes)?;
        for (of, test_name) in left_out().filter_map(|name| name.split_once("::")) {
            if of == program.name {
                test.args(["--skip", test_name]);
            }
        }
        println!("$ {}", program.path.display());
        let output = test.current_dir(&program.package).stderr(Stdio::inherit()).output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        print!("{printed}");
        results.add(&program.name, &printed, output.status.code());
        Ok(())
    }

    /// Returns the command that runs a test program.
    fn runner(&self, program: &Program, minutes: u64) -> Result<Command, Failure> {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=10", &format!("{minutes}m")]);
        match self.tests {
            Tests::Qemu { program, libraries } => {
                command.arg(program).env("QEMU_LD_PREFIX", libraries);
                command.env("PROPTEST_CASES", QEMU_CASES);
            }
            Tests::Wine => {
                command.arg("wine").env("WINEPATH", library_for_wine()?).env("WINEDEBUG", "-all");
            }
            Tests::Direct | Tests::None => {}
        }
        command.arg(&program.path);
        Ok(command)
    }

    /// Returns a cargo command for this target and its packages. All targets share one folder, because the
    /// programs that run while building are the same.
    fn cargo(&self, words: &[&str]) -> Result<Command, Failure> {
        let mut cargo = cargo(words);
        for package in self.packages {
            cargo.args(["--package", package]);
        }
        cargo
            .args(["--target", self.triple])
            .env("CARGO_TARGET_DIR", root().join("target/targets"))
            // Nobody debugs these programs.
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env("CARGO_INCREMENTAL", "0");
        match self.tests {
            Tests::Qemu { .. } => {
                cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
            }
            Tests::None => {
                let variable = format!("CC_{}", self.triple.replace('-', "_"));
                // Without a value, the build of C code asks Xcode for it.
                cargo.env(variable, compiler_for_macos()?).env("SDKROOT", "/");
            }
            Tests::Direct | Tests::Wine => {}
        }
        if let Some(linker) = self.tools.first() {
            let variable = self.triple.to_uppercase().replace('-', "_");
            cargo.env(format!("CARGO_TARGET_{variable}_LINKER"), linker);
        }
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
        if !Path::new(sysroot.trim()).join("lib/rustlib").join(self.triple).exists() {
            // Debian's compiler builds the standard library from its sources.
            cargo.arg("-Zbuild-std=std,panic_unwind,test");
            cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
        }
        Ok(cargo)
    }
}

/// What cargo reports of a build.
#[derive(Debug, PartialEq)]
struct Build {
    succeeded: bool,
    /// The warnings in packages of this workspace.
    warnings: usize,
    programs: Vec<Program>,
}

impl Build {
    /// Reads the messages of cargo, and prints the diagnostics of packages of this workspace.
    fn read(messages: &str, succeeded: bool) -> Self {
        let mut build = Self { succeeded, warnings: 0, programs: Vec::new() };
        for line in messages.lines() {
            let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
            let Some(manifest) = message["manifest_path"].as_str().map(Path::new) else { continue };
            if !manifest.starts_with(root()) {
                continue;
            }
            if let Some(diagnostic) = message["message"]["rendered"].as_str() {
                println!("{diagnostic}");
                build.warnings += usize::from(message["message"]["level"] == "warning");
            }
            if let (Some(path), Some(name)) =
                (message["executable"].as_str(), message["target"]["name"].as_str())
                && message["profile"]["test"] == true
            {
                let package = manifest.parent().map(Path::to_owned).unwrap_or_default();
                let folder = package.file_name().unwrap_or_default().to_string_lossy();
                let name = format!("{folder}/{name}");
                build.programs.push(Program { name, path: path.into(), package });
            }
        }
        build
    }
}

/// Builds the library `bcryptprimitives`, from which the standard library takes random numbers. Wine 8 does not have it.
/// Returns its folder.
fn library_for_wine() -> Result<PathBuf, Failure> {
    let folder = root().join("target/targets/wine");
    let library = folder.join("bcryptprimitives.dll");
    if !library.exists() {
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("random.c"), RANDOM_FOR_WINE)?;
        let mut compile = Command::new("x86_64-w64-mingw32-gcc");
        compile.arg("-shared").arg("-o").arg(&library);
        output(compile.arg(folder.join("random.c")).arg("-ladvapi32"))?;
    }
    Ok(folder)
}

/// Writes a script that compiles C for macOS with Zig, which contains the headers. Returns its path.
fn compiler_for_macos() -> Result<PathBuf, Failure> {
    let folder = root().join("target/targets/macos");
    fs::create_dir_all(&folder)?;
    let script = folder.join("cc");
    fs::write(&script, COMPILER_FOR_MACOS)?;
    output(Command::new("chmod").arg("+x").arg(&script))?;
    Ok(script)
}

/// Drops the options that only Apple's compiler has.
const COMPILER_FOR_MACOS: &str = r#"#!/bin/bash
words=()
while [ $# -gt 0 ]; do
    case $1 in
    -arch | -isysroot) shift ;;
    --target=* | -mmacosx-version-min=*) ;;
    *) words+=("$1") ;;
    esac
    shift
done
exec python3 -m ziglang cc -target aarch64-macos "${words[@]}"
"#;

const RANDOM_FOR_WINE: &str = "
#include <stddef.h>
__declspec(dllimport) unsigned char __stdcall SystemFunction036(void *bytes, unsigned long length);
__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *bytes, size_t length) {
    return SystemFunction036(bytes, (unsigned long)length);
}
";

const QEMU_CASES: &str = "16";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_and_warnings_of_this_workspace_are_read() {
        let ours = root().join("crates/x");
        let manifest = ours.join("Cargo.toml");
        let manifest = manifest.display();
        let messages = format!(
            r#"{{"manifest_path":"{manifest}","message":{{"level":"warning","rendered":"unused"}}}}
{{"manifest_path":"{manifest}","executable":"/t/it-1","target":{{"name":"it"}},"profile":{{"test":true}}}}
{{"manifest_path":"{manifest}","executable":"/t/fdx","target":{{"name":"fdx"}},"profile":{{"test":false}}}}
{{"manifest_path":"/elsewhere/Cargo.toml","message":{{"level":"warning","rendered":"unused"}}}}
"#
        );
        let it = Program { name: "x/it".into(), path: "/t/it-1".into(), package: ours };
        let expected = Build { succeeded: true, warnings: 1, programs: vec![it] };
        assert_eq!(Build::read(&messages, true), expected);
    }
}
