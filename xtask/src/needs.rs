//! The programs that some tests need, and the tests that are skipped if a program is missing.
//!
//! A Rust test that needs tmux is in a module `needs_tmux` and is marked `#[ignore = "needs
//! tmux"]`, so plain `cargo test` lists it as ignored. A module may name several programs, as in
//! `needs_nginx_and_openssl`. A test of the npm package has the options `needs('tmux')`.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::run::{Failure, output, root};

/// The need of the tests that use the peers, which are Python and npm packages.
const PEERS: &str = "peers";
pub(crate) const VENV: &str = "python3 with venv";

/// The Debian packages whose name differs from the program's.
const PACKAGES: [(&str, &str); 4] = [
    ("danted", "dante-server"),
    ("geckodriver", "firefox-esr"),
    ("java", "default-jdk-headless"),
    (VENV, "python3-venv"),
];

/// The missing programs, each with the tests that need it.
#[derive(Debug, Default)]
pub(crate) struct MissingPrograms {
    tests: BTreeMap<String, BTreeSet<String>>,
    /// The modules of Rust tests to skip.
    modules: BTreeSet<String>,
}

impl MissingPrograms {
    /// Reads the output of `cargo test -- --list --ignored`.
    pub(crate) fn rust(list: &str, has: impl Fn(&str) -> bool) -> Self {
        let mut missing = Self::default();
        for test in list.lines().filter_map(|line| line.strip_suffix(": test")) {
            for module in modules(test) {
                let needs = module.trim_start_matches("needs_").split("_and_");
                let programs = needs.flat_map(programs).filter(|program| !has(program));
                for program in programs {
                    missing.add(program, test.to_owned());
                    missing.modules.insert(format!("{module}::"));
                }
            }
        }
        missing
    }

    /// Adds tests of the npm package: all of them without npm, otherwise those that need a missing
    /// program.
    pub(crate) fn npm(&mut self, has: impl Fn(&str) -> bool) -> Result<(), Failure> {
        if !has("npm") {
            self.add("npm", "all tests of the npm package".into());
            return Ok(());
        }
        for entry in fs::read_dir(root().join("crates/node/test"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "mjs") {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                for (program, test) in npm_needs(&fs::read_to_string(&path)?) {
                    if !has(program) {
                        self.add(program, format!("{name}: {test}"));
                    }
                }
            }
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Returns the arguments that make libtest skip these tests.
    pub(crate) fn skip(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().flat_map(|module| ["--skip", module])
    }

    /// Returns whether tests that need this program are skipped.
    pub(crate) fn lacks(&self, program: &str) -> bool {
        self.tests.contains_key(program)
    }

    fn add(&mut self, program: &str, test: String) {
        self.tests.entry(program.to_owned()).or_default().insert(test);
    }
}

impl fmt::Display for MissingPrograms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (program, tests) in &self.tests {
            writeln!(f, "  needs {program}:")?;
            tests.iter().try_for_each(|test| writeln!(f, "    {test}"))?;
        }
        let package = |program: &String| {
            let known = PACKAGES.iter().find(|(name, _)| name == program);
            known.map_or(program.clone(), |(_, package)| (*package).to_owned())
        };
        let packages: BTreeSet<_> = self.tests.keys().map(package).collect();
        let packages: Vec<_> = packages.into_iter().collect();
        write!(f, "To run them too (Debian, Ubuntu): apt-get install {}", packages.join(" "))
    }
}

/// Fails if a test in a module `needs_…` is not marked as ignored, because plain `cargo test` would
/// run it.
pub(crate) fn check_ignored(all: &str, ignored: &str) -> Result<(), Failure> {
    let ignored: BTreeSet<_> = ignored.lines().collect();
    let is_wrong = |line: &&str| modules(line).next().is_some() && !ignored.contains(line);
    match all.lines().filter(|line| line.ends_with(": test")).find(is_wrong) {
        Some(test) => Err(Failure(format!("{test} needs a program and has no #[ignore]"))),
        None => Ok(()),
    }
}

/// Returns the modules of a test that name its needs.
fn modules(test: &str) -> impl Iterator<Item = &str> {
    let (modules, _name) = test.rsplit_once("::").unwrap_or_default();
    modules.split("::").filter(|module| module.starts_with("needs_"))
}

/// Returns the programs of a need.
fn programs(need: &str) -> Vec<&str> {
    match need {
        PEERS => vec![VENV, "npm"],
        // The names of modules have no hyphens.
        "nats_server" => vec!["nats-server"],
        "redis_server" => vec!["redis-server"],
        program => vec![program],
    }
}

/// Returns whether a program is installed.
pub(crate) fn has(program: &str) -> bool {
    match program {
        VENV => {
            let mut python = Command::new("python3");
            output(python.args(["-c", "import ensurepip, venv"])).is_ok()
        }
        program => folders().any(|folder| folder.join(program).is_file()),
    }
}

/// Returns the search path, extended by the folders of server programs. On Debian, the search path of
/// ordinary users does not have these folders.
pub(crate) fn search_path() -> OsString {
    env::join_paths(folders()).unwrap_or_default()
}

fn folders() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).collect();
    let servers = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    folders.into_iter().chain(servers)
}

/// Returns the program and the name of each test that is declared as `test('name',
/// needs('program'), …)`.
fn npm_needs(source: &str) -> impl Iterator<Item = (&str, &str)> {
    source.split("test('").skip(1).filter_map(|declared| {
        let (name, rest) = declared.split_once("', ")?;
        let (program, _) = rest.strip_prefix("needs('")?.split_once('\'')?;
        Some((program, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "needs_tmux::keys: test\nneeds_peers::ws::url: test\n\
        needs_nginx_and_openssl::tls: test\nother: test\n\n4 tests, 0 benchmarks\n";

    #[test]
    fn tests_that_need_a_missing_program_are_skipped() {
        let missing = MissingPrograms::rust(LIST, |program| !["tmux", "nginx"].contains(&program));
        let skipped: Vec<_> = missing.skip().collect();
        assert_eq!(skipped, ["--skip", "needs_nginx_and_openssl::", "--skip", "needs_tmux::"]);
        assert_eq!(
            missing.to_string(),
            "  needs nginx:\n    needs_nginx_and_openssl::tls\n  needs tmux:\n    \
             needs_tmux::keys\nTo run them too (Debian, Ubuntu): apt-get install nginx tmux"
        );
    }

    #[test]
    fn the_peers_need_venv_and_npm() {
        let missing = MissingPrograms::rust(LIST, |program| program != VENV);
        assert!(missing.lacks(VENV) && !missing.lacks("npm"));
        assert!(missing.to_string().ends_with("apt-get install python3-venv"), "{missing}");
    }

    #[test]
    fn servers_have_hyphens_in_their_names() {
        let missing = MissingPrograms::rust("needs_redis_server::a: test\n", |_| false);
        assert!(missing.lacks("redis-server"), "{missing}");
        assert_eq!(missing.skip().collect::<Vec<_>>(), ["--skip", "needs_redis_server::"]);
    }

    #[test]
    fn a_test_that_needs_a_program_is_ignored() {
        assert!(check_ignored(LIST, LIST).is_ok());
        assert!(check_ignored(LIST, "other: test").is_err());
        assert!(check_ignored("x::it_needs_nothing: test\nx::needs_nothing: test\nneeds_tmux.rs - (line 1): doc test", "").is_ok());
    }

    #[test]
    fn nothing_is_skipped_if_all_programs_are_installed() {
        assert!(MissingPrograms::rust(LIST, |_| true).is_empty());
    }

    #[test]
    fn tests_of_the_npm_package_name_their_program() {
        let source = "test('a', async () => {});\ntest('b', needs('openssl'), () => {});";
        assert_eq!(npm_needs(source).collect::<Vec<_>>(), [("openssl", "b")]);
    }
}
