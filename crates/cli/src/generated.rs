//! What is made of the description of the arguments.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man as Page;

use crate::exit::{Failure, usage};
use crate::output::not_written;

/// Print completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Print a manual page.
#[derive(Debug, Args)]
#[command(after_help = MAN)]
pub(crate) struct Man {
    /// The command that it is about; fdx itself by default.
    command: Option<String>,
}

pub(crate) fn completions(args: Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut fdx(), "fdx", &mut script);
    write(&script)
}

pub(crate) fn man(args: &Man) -> Result<(), Failure> {
    let fdx = fdx();
    let command = match args.command.as_deref() {
        None => fdx,
        Some(name) => {
            let command = fdx.find_subcommand(name).cloned();
            command.ok_or_else(|| usage(format!("fdx has no command `{name}`")))?
        }
    };
    let mut page = Vec::new();
    Page::new(command).render(&mut page)?;
    write(&page)
}

fn fdx() -> clap::Command {
    let mut fdx = crate::args::Args::command();
    fdx.build();
    fdx
}

fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(not_written)
}

const COMPLETIONS: &str = "\
Examples:
  fdx completions bash > ~/.local/share/bash-completion/completions/fdx
  fdx completions zsh > ~/.zfunc/_fdx
  fdx completions fish > ~/.config/fish/completions/fdx.fish";

const MAN: &str = "\
Examples:
  fdx man | man -l -
  fdx man connect > fdx-connect.1";
