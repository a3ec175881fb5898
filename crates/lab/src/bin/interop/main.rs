//! Interoperability with other projects. `interop` tries everything and writes `docs/interop.md`. `interop
//! CLIENT` tries one client with our server, `interop servers` tries our client with other servers,
//! `interop http2` tries both over HTTP/2, and `interop checkers` tries the health checks of other projects. The last
//! two write their sections of the document.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints its results")]

mod checkers;
mod http2;
mod our_client;
mod our_server;
mod patience;
mod routes;

use std::error::Error;
use std::process::{Command, ExitCode};

use fullduplex_lab::clients::{Client, Version};

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
        println!("\n{}", our_client::try_all(Version::Http1)?);
        return Ok(());
    }
    if chosen == Some("checkers") {
        return replace(checkers::TITLE, &checkers::try_all()?);
    }
    if chosen == Some("http2") {
        return replace(http2::TITLE, &http2::try_all()?);
    }
    let is_chosen = |client: &Client| chosen.is_none_or(|chosen| client.name() == chosen);
    let clients: Vec<Client> = Client::HTTP1.into_iter().filter(is_chosen).collect();
    if clients.is_empty() {
        let names = Client::HTTP1.map(Client::name).join(", ");
        let others = "`servers`, `http2` or `checkers`";
        return Err(format!("unknown client: use one of {names}, {others}").into());
    }
    let mut tables = our_server::try_with(&clients, Version::Http1)?;
    if chosen.is_none() {
        tables =
            [tables, our_client::try_all(Version::Http1)?, http2::try_all()?, checkers::try_all()?]
                .join("\n");
    }
    println!("\n{tables}");
    if chosen.is_none() {
        std::fs::write(DOCUMENT, document(&tables)?)?;
    }
    Ok(())
}

/// Replaces a section of the document.
fn replace(title: &str, text: &str) -> Result<(), Failure> {
    println!("\n{text}");
    let document = std::fs::read_to_string(DOCUMENT)?;
    Ok(std::fs::write(DOCUMENT, document.replace(&section(title)?, text))?)
}

/// Returns a section of the document.
fn section(title: &str) -> Result<String, Failure> {
    let document = std::fs::read_to_string(DOCUMENT)?;
    let begin = document.find(title).ok_or("the document has no such section")?;
    let rest = &document[begin..];
    let end = rest.find("\n## ").unwrap_or(rest.len());
    Ok(rest[..end].to_owned())
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
