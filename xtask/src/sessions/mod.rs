//! The terminal sessions in docs/fdx.md. Runs them, and writes or compares their output.
//!
//! A block ```` ```console ```` is a terminal. Lines that begin with `$ ` are typed, and the lines
//! below them are the output. In a block `console background` the last command keeps running until
//! the next heading, while other terminals use it. A block `console screen` shows the screen after
//! the lines of the comment above it, `<!-- typed: one ; two -->`, were typed into its command.

mod screen;

use std::fs;
use std::net::TcpListener;

use crate::run::{Failure, cargo, root, run};
use crate::shell::{Background, Shell};

/// Runs all sessions. Compares the output with the page, ignoring numbers, or rewrites the page.
pub(crate) fn sessions(check: bool) -> Result<(), Failure> {
    // The page shows the output of the build that users run. For a comparison, the debug build is enough, and
    // it builds faster.
    let profile = if check { "debug" } else { "release" };
    let release = if check { None } else { Some("--release") };
    run(cargo(["build", "--package", "fullduplex-cli"]).args(release))?;
    let page = root().join("docs/fdx.md");
    let written = fs::read_to_string(&page)?;
    let shell = Shell::new("sessions", &[root().join("target").join(profile)])?;
    if !check {
        fs::write(&page, record(&written, &shell)?)?;
        println!("wrote {}", page.display());
        return Ok(());
    }
    // Sometimes the order in which two ends finish differs between runs, so the comparison is repeated.
    let mut compared = compare(&written, &record(&written, &shell)?);
    for _ in 0..2 {
        if compared.is_err() {
            compared = compare(&written, &record(&written, &shell)?);
        }
    }
    compared
}

fn compare(written: &str, recorded: &str) -> Result<(), Failure> {
    let (old, new) = (without_numbers(written), without_numbers(recorded));
    match old.iter().zip(&new).find(|(old, new)| old != new) {
        None if old.len() == new.len() => Ok(()),
        None => Err(Failure("docs/fdx.md: a session has become longer or shorter".into())),
        Some((old, new)) => Err(Failure(format!(
            "docs/fdx.md is out of date; `cargo xtask sessions` rewrites it\n  page: \
             {old}\n  now:  {new}"
        ))),
    }
}

/// Returns the page with the current output of its commands.
fn record(page: &str, shell: &Shell) -> Result<String, Failure> {
    let mut recorded = Vec::new();
    let mut lines = page.lines();
    let mut section = Section::default();
    let mut typed = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            section.end(&mut recorded)?;
        }
        if let Some(keys) =
            line.strip_prefix("<!-- typed: ").and_then(|line| line.strip_suffix(" -->"))
        {
            typed = keys.split(" ; ").map(str::to_owned).collect();
        }
        recorded.push(line.to_owned());
        let Some(kind) = line.strip_prefix("```console") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let commands: Vec<&str> = block.iter().filter_map(|line| line.strip_prefix("$ ")).collect();
        match (kind.trim(), commands.split_last()) {
            ("", _) => {
                for command in commands {
                    recorded.push(format!("$ {command}"));
                    let output = shell.run(&section.ports.real(command))?;
                    recorded.extend(output.lines().map(|line| section.ports.shown(line)));
                }
            }
            ("background", Some((last, []))) => {
                recorded.push(format!("$ {last}"));
                let started = shell.start(&section.ports.real(last))?;
                section.background.push((recorded.len(), started));
            }
            ("screen", Some((only, []))) => {
                recorded.push(format!("$ {only}"));
                let screen = screen::record(shell, &section.ports.real(only), &typed)?;
                recorded.extend(screen.iter().map(|line| section.ports.shown(line)));
            }
            (kind, _) => {
                return Err(Failure(format!(
                    "docs/fdx.md: a block `console {kind}` has one command"
                )));
            }
        }
        recorded.push("```".to_owned());
    }
    section.end(&mut recorded)?;
    Ok(recorded.join("\n") + "\n")
}

/// The background commands between two headings.
#[derive(Default)]
struct Section {
    ports: Ports,
    /// The running commands, each with the line of the page before which its output is inserted.
    background: Vec<(usize, Background)>,
}

impl Section {
    /// Stops the running commands, and inserts their output.
    fn end(&mut self, recorded: &mut Vec<String>) -> Result<(), Failure> {
        for (at, background) in self.background.drain(..).rev() {
            let output = background.end()?;
            let lines: Vec<_> = output.lines().map(|line| self.ports.shown(line)).collect();
            recorded.splice(at..at, lines);
        }
        self.ports = Ports::default();
        Ok(())
    }
}

/// The ports 9001 to 9009 of the page, and the free ports that replace them.
#[derive(Default)]
struct Ports {
    pairs: Vec<(String, String)>,
}

impl Ports {
    /// Returns the command with free ports.
    fn real(&mut self, command: &str) -> String {
        let mut command = command.to_owned();
        for port in 9001..=9009u16 {
            let shown = port.to_string();
            if !command.contains(&shown) {
                continue;
            }
            if !self.pairs.iter().any(|(of, _)| *of == shown) {
                // The free port has four digits too, which keeps the width of the columns.
                let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
                let real = std::iter::once(port).chain(9010..=9999).find(is_free);
                self.pairs.push((shown, real.unwrap_or(port).to_string()));
            }
        }
        for (shown, real) in &self.pairs {
            command = command.replace(shown, real);
        }
        command
    }

    /// Returns a line of output with the ports of the page.
    fn shown(&self, line: &str) -> String {
        let shown = |line: String, (shown, real): &(String, String)| line.replace(real, shown);
        self.pairs.iter().fold(line.trim_end().to_owned(), shown)
    }
}

/// Returns the lines with each number and its unit replaced by `0`, and each gap by one space,
/// because these differ from run to run.
fn without_numbers(page: &str) -> Vec<String> {
    page.lines()
        .map(|line| {
            let words = line.split_whitespace().map(|word| {
                if !word.contains(|c: char| c.is_ascii_digit()) {
                    return word.to_owned();
                }
                let mut plain = String::new();
                for c in word.chars() {
                    match c {
                        '0'..='9' if plain.ends_with('0') => {}
                        '0'..='9' => plain.push('0'),
                        '.' | ',' if plain.ends_with('0') => {}
                        c => plain.push(c),
                    }
                }
                plain
            });
            let units = ["ns", "µs", "ms", "s"];
            words.filter(|word| !units.contains(&word.as_str())).collect::<Vec<_>>().join(" ")
        })
        .collect()
}
