//! Writes the output of a command to `docs/figures/`, so that no figure is copied by hand.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use crate::run::{Failure, commit, date, output, root};

/// Runs `cargo xtask` with these words, and writes the output to a file named after the words before the first number or
/// option, such as `hub-costs.txt`.
pub(crate) fn record(words: &[String]) -> Result<(), Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut process = command.args(words).stdout(Stdio::piped()).spawn()?;
    let stdout = process.stdout.take().ok_or(Failure("the command has no stdout".into()))?;
    let mut printed = String::new();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        println!("{line}");
        // Commands print the processes that they run.
        if !line.starts_with("$ ") {
            printed += &format!("{line}\n");
        }
    }
    if !process.wait()?.success() {
        return Err(Failure("the command failed, so nothing is written".into()));
    }
    let folder = root().join("docs/figures");
    fs::create_dir_all(&folder)?;
    let is_name = |word: &&String| word.starts_with(|first: char| first.is_ascii_alphabetic());
    let name: Vec<_> = words.iter().take_while(is_name).map(String::as_str).collect();
    let file = folder.join(name.join("-")).with_extension("txt");
    let head = format!("Written by `cargo xtask record {}` {}.", words.join(" "), circumstances()?);
    fs::write(&file, format!("{head}\n\n{printed}"))?;
    println!("wrote {}", file.display());
    Ok(())
}

/// Describes the date, the commit and the machine.
fn circumstances() -> Result<String, Failure> {
    let ask = |program: &str, words: &[&str]| output(Command::new(program).args(words));
    let (date, commit) = (date()?, commit()?);
    let system = ask("uname", &["-srm"])?;
    let compiler = ask("rustc", &["--version"])?;
    let [system, compiler] = [&system, &compiler].map(|it| it.trim());
    let processors = available_parallelism()?;
    Ok(format!("on {date} at the commit {commit}: {processors} processors, {system}, {compiler}"))
}
