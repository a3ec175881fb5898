//! Completions and manual pages, generated from the definition of the arguments.

use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man as Page;

use crate::context::Context;
use crate::exit::{Failure, usage};

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
    /// The command to describe. Default: fdx itself.
    command: Option<String>,
}

pub(crate) async fn completions(
    args: Completions,
    mut fdx: clap::Command,
    context: &Context,
) -> Result<(), Failure> {
    fdx.build();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut fdx, "fdx", &mut script);
    write(script, context).await;
    Ok(())
}

pub(crate) async fn man(
    args: &Man,
    mut fdx: clap::Command,
    context: &Context,
) -> Result<(), Failure> {
    fdx.build();
    let command = match args.command.as_deref() {
        None => fdx,
        Some(name) => {
            let command = fdx.find_subcommand(name).cloned();
            command.ok_or_else(|| usage(format!("fdx has no command `{name}`; see fdx --help")))?
        }
    };
    let mut page = Vec::new();
    Page::new(command).render(&mut page)?;
    write(page, context).await;
    Ok(())
}

async fn write(text: Vec<u8>, context: &Context) {
    context.output.print(text.len(), move |pen| pen.exact(&text)).await;
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
