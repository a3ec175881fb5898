use std::fmt::Write as _;
use std::path::Path;
use std::thread;
use std::time::Instant;

use fullduplex_lab::clients::{Client, Compression, Report, Version};

use crate::Failure;
use crate::routes::{Route, Routes};

/// A client, and whether it offers compression.
struct Row {
    client: Client,
    compression: Compression,
    version: Version,
}

/// The result of a client by one route.
enum Cell {
    Passed(Report),
    Failed,
    /// The client uses HTTP/2 only with TLS, or it failed as expected.
    Impossible,
}

/// Tries our server with all clients by all routes, and returns the tables.
pub(crate) fn try_with(clients: &[Client], version: Version) -> Result<String, Failure> {
    let routes = &match version {
        Version::Http1 => Routes::open()?,
        Version::Http2 => Routes::open_http2()?,
    };
    let rows: Vec<Row> = clients.iter().flat_map(|&client| Row::all_of(client, version)).collect();
    // All rows run concurrently, because clients mostly wait.
    let cells: Vec<Vec<Cell>> = thread::scope(|scope| {
        let start = |row| scope.spawn(move || try_row(row, routes));
        let rows: Vec<_> = rows.iter().map(start).collect();
        rows.into_iter().map(|row| row.join().unwrap_or_default()).collect()
    });
    let failed =
        |row: &Vec<Cell>| row.is_empty() || row.iter().any(|cell| matches!(cell, Cell::Failed));
    if cells.iter().any(failed) {
        return Err("some trials failed: see above".into());
    }
    let tables = table_of_routes(&rows, routes, &cells) + "\n" + &table_of_trials(clients, version);
    Ok(format!("{}{tables}", about(version)))
}

/// Tries our server with one client by each route.
fn try_row(row: &Row, routes: &Routes) -> Vec<Cell> {
    routes.all.iter().map(|route| row.try_by(route, &routes.ca)).collect()
}

impl Row {
    fn all_of(client: Client, version: Version) -> impl Iterator<Item = Self> {
        client.compressions().iter().map(move |&compression| Self { client, compression, version })
    }

    /// Runs the trials of a client and prints the result.
    fn try_by(&self, route: &Route, ca: &Path) -> Cell {
        let is_possible = route.has_tls() || self.client.has_prior_knowledge();
        if self.version == Version::Http2 && !is_possible {
            return Cell::Impossible;
        }
        let begin = Instant::now();
        let outcome = self.client.try_all(&route.url, ca, self.compression, self.version);
        let seconds = begin.elapsed().as_secs_f64();
        let what = format!("{}, {}, {}", self.client.name(), self.deflate(), route.name);
        // undici 8.13.1 sends a key over HTTP/2 too. Then the request of the proxy has two.
        let is_to_fail = route.adds_key && self.client == Client::Undici;
        match outcome {
            Ok(_) if is_to_fail => {
                eprintln!("{what}: passed, which was not expected");
                Cell::Failed
            }
            Err(failure) if is_to_fail && failure.starts_with("failed opening: closed") => {
                println!("{what}: failed as expected");
                Cell::Impossible
            }
            Ok(report) => {
                println!("{what}: {} trials, {seconds:.1} s", report.trials);
                Cell::Passed(report)
            }
            Err(failure) => {
                eprintln!("{what}: FAILED after {seconds:.1} s\n{failure}");
                Cell::Failed
            }
        }
    }

    fn deflate(&self) -> &'static str {
        match self.compression {
            Compression::Offered => "permessage-deflate",
            Compression::NotOffered => "uncompressed",
        }
    }
}

fn about(version: Version) -> &'static str {
    match version {
        Version::Http1 => {
            "## Our server with clients of other projects\n\n\
             The number of trials below that each client passed, by each route to the server. Behind a \
             proxy, the proxy terminates TLS.\nThe proxies drop connections that are idle for 2 s, which is \
             checked first. undici does not compress what it sends.\n\n"
        }
        Version::Http2 => {
            "### Our server with clients of other projects\n\n\
             The number of trials below that each client passed, by each route to the server. Proxies use HTTP/2 \
             to the server too,\nif nothing else is said. Without TLS, the client knows that the server speaks \
             HTTP/2; browsers need TLS (–).\nHAProxy drops streams that are idle for 2 s. nghttpx does not \
             pass on an END_STREAM without a Close, so clients reset the\nstream after 5 s. With compression, the \
             client of yawc 0.5.0 does not finish the trial of binary messages, so it is\ntried without. \
             undici sends a Sec-WebSocket-Key over HTTP/2 too. nghttpx passes it on to a server over HTTP/1.1, beside\nits \
             own, so that the request is invalid (–).\n\n"
        }
    }
}

fn table_of_routes(rows: &[Row], routes: &Routes, cells: &[Vec<Cell>]) -> String {
    let names = routes.all.iter().map(|route| route.name.as_str());
    let mut table = head(["client", ""].into_iter().chain(names));
    for (row, cells) in rows.iter().zip(cells) {
        let client = cells.iter().find_map(|cell| match cell {
            Cell::Passed(report) => Some(report.client.as_str()),
            Cell::Failed | Cell::Impossible => None,
        });
        write!(table, "| {} | {} |", client.unwrap_or_default(), row.deflate()).ok();
        for cell in cells {
            match cell {
                Cell::Passed(report) => write!(table, " {} |", report.trials).ok(),
                Cell::Failed | Cell::Impossible => write!(table, " – |").ok(),
            };
        }
        table.push('\n');
    }
    table
}

fn table_of_trials(clients: &[Client], version: Version) -> String {
    let mut table = String::from("A dash means that the client has no API for the trial.\n\n");
    let names = clients.iter().map(|client| client.name());
    table += &head(["trial", ""].into_iter().chain(names));
    for (name, what) in version.trials() {
        write!(table, "| {name} | {what} |").ok();
        for client in clients {
            let cell = if client.cannot().contains(&name) { "–" } else { "yes" };
            write!(table, " {cell} |").ok();
        }
        table.push('\n');
    }
    table
}

/// Returns the first two lines of a table.
pub(crate) fn head<'a>(columns: impl Iterator<Item = &'a str>) -> String {
    let (names, rules): (Vec<_>, Vec<_>) = columns.map(|name| (name, "---")).unzip();
    format!("| {} |\n|{}|\n", names.join(" | "), rules.join("|"))
}
