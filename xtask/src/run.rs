use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Why a command failed, as a sentence.
pub(crate) struct Failure(pub(crate) String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Returns the root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Returns a command for the cargo that runs this program. It runs in the root of the workspace.
pub(crate) fn cargo(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(root()).args(arguments);
    remove_package(&mut command);
    command
}

/// Removes the variables with which cargo describes this package. The build script of ring depends on them, so that ring and
/// all that use it would be built again after each `cargo` without `xtask`.
pub(crate) fn remove_package(command: &mut Command) {
    let describes =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes) {
            command.env_remove(name);
        }
    }
}

/// Prints and runs a command. Fails if the command fails.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let shown = shown(command);
    println!("$ {shown}");
    let status =
        command.status().map_err(|error| Failure(format!("could not run `{shown}`: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failure(format!("{shown}: {status}"))) }
}

/// Runs a command. Returns its output.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let shown = shown(command);
    let output =
        command.output().map_err(|error| Failure(format!("could not run `{shown}`: {error}")))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(Failure(format!("{shown}: {}\n{complaint}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns today's date, such as `2026-11-30`.
pub(crate) fn date() -> Result<String, Failure> {
    Ok(output(Command::new("date").args(["--utc", "+%F"]))?.trim().to_owned())
}

/// Returns the commit of the working tree, such as `30c03be`, or `30c03be-dirty` if files differ from it.
pub(crate) fn commit() -> Result<String, Failure> {
    let mut describe = Command::new("git");
    describe.current_dir(root()).args(["describe", "--always", "--dirty", "--abbrev=7"]);
    Ok(output(&mut describe)?.trim().to_owned())
}

/// Builds the command `fdx`.
pub(crate) fn build_fdx() -> Result<(), Failure> {
    run(&mut cargo(["build", "--package", "fullduplex-cli"]))
}

/// Returns the path of the command that [`build_fdx`] builds.
pub(crate) fn fdx() -> PathBuf {
    root().join("target/debug/fdx")
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
