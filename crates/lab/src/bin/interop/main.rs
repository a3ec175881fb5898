//! Interoperability with other projects. `interop` tries everything and writes `docs/interop.md`. `interop
//! CLIENT` tries one client with our server, `interop servers` tries our client with other servers, and
//! `interop checkers` tries the health checks of other projects.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints its results")]

mod checkers;
mod our_client;
mod our_server;
mod patience;
mod routes;

use std::error::Error;
use std::process::{Command, ExitCode};

use fullduplex_lab::clients::Client;

type Failure = Box<dyn Error>;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/interop.md");

fn main() -> ExitCode {
    let chosen = std::env::args().nth(1);
    match interop(chosen.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("interop: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn interop(chosen: Option<&str>) -> Result<(), Failure> {
    if chosen == Some("servers") {
        println!("\n{}", our_client::try_all()?);
        return Ok(());
    }
    if chosen == Some("checkers") {
        let table = checkers::try_all()?;
        println!("\n{table}");
        // This is the last section of the document, so the command can replace it alone.
        let document = std::fs::read_to_string(DOCUMENT)?;
        let before = document.split(checkers::TITLE).next().unwrap_or_default();
        return Ok(std::fs::write(DOCUMENT, before.trim_end().to_owned() + "\n\n" + &table)?);
    }
    let is_chosen = |client: &Client| chosen.is_none_or(|chosen| client.name() == chosen);
    let clients: Vec<Client> = Client::ALL.into_iter().filter(is_chosen).collect();
    if clients.is_empty() {
        let names = Client::ALL.map(Client::name).join(", ");
        return Err(format!("unknown client: use one of {names}, `servers` or `checkers`").into());
    }
    let mut tables = our_server::try_with(&clients)?;
    if chosen.is_none() {
        tables = tables + "\n" + &our_client::try_all()? + "\n" + &checkers::try_all()?;
    }
    println!("\n{tables}");
    if chosen.is_none() {
        std::fs::write(DOCUMENT, document(&tables)?)?;
    }
    Ok(())
}

fn document(tables: &str) -> Result<String, Failure> {
    let date = date()?;
    Ok(format!(
        "# Interoperability\n\n\
         Written by `cargo xtask interop` on {date}. The command fails unless all trials pass; CI runs \
         it too.\n\n\
         {tables}"
    ))
}

/// Returns the date of today.
fn date() -> Result<String, Failure> {
    let date = Command::new("date").args(["--utc", "+%F"]).output()?.stdout;
    Ok(String::from_utf8(date)?.trim().to_owned())
}
