use std::fmt::Write as _;
use std::path::Path;
use std::thread;
use std::time::Instant;

use fullduplex_lab::clients::{Client, Compression, Report, TRIALS};

use crate::Failure;
use crate::routes::{Route, Routes};

/// A client, and whether it offers compression.
struct Row {
    client: Client,
    compression: Compression,
}

/// Tries our server with all clients by all routes, and returns the tables.
pub(crate) fn try_with(clients: &[Client]) -> Result<String, Failure> {
    let routes = &Routes::open()?;
    let rows: Vec<Row> = clients.iter().flat_map(|&client| Row::all_of(client)).collect();
    // All rows run concurrently, because clients mostly wait.
    let reports: Vec<Vec<Option<Report>>> = thread::scope(|scope| {
        let start = |row| scope.spawn(move || try_row(row, routes));
        let rows: Vec<_> = rows.iter().map(start).collect();
        rows.into_iter().map(|row| row.join().unwrap_or_default()).collect()
    });
    let passed = reports.into_iter().map(|row| row.into_iter().collect());
    let passed: Option<Vec<Vec<Report>>> = passed.collect();
    let passed = passed.ok_or("some trials failed: see above")?;
    Ok(table_of_routes(&rows, routes, &passed) + "\n" + &table_of_trials(clients))
}

/// Tries our server with one client by each route.
fn try_row(row: &Row, routes: &Routes) -> Vec<Option<Report>> {
    routes.all.iter().map(|route| row.try_by(route, &routes.ca)).collect()
}

impl Row {
    fn all_of(client: Client) -> impl Iterator<Item = Self> {
        client.compressions().iter().map(move |&compression| Self { client, compression })
    }

    /// Runs the trials of a client and prints the result.
    fn try_by(&self, route: &Route, ca: &Path) -> Option<Report> {
        let begin = Instant::now();
        let outcome = self.client.try_all(&route.url, ca, self.compression);
        let seconds = begin.elapsed().as_secs_f64();
        let what = format!("{}, {}, {}", self.client.name(), self.deflate(), route.name);
        match outcome {
            Ok(report) => {
                println!("{what}: {} trials, {seconds:.1} s", report.trials);
                Some(report)
            }
            Err(failure) => {
                eprintln!("{what}: FAILED after {seconds:.1} s\n{failure}");
                None
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

fn table_of_routes(rows: &[Row], routes: &Routes, reports: &[Vec<Report>]) -> String {
    let mut table = String::from(
        "## Our server with clients of other projects\n\n\
         The number of trials below that each client passed, by each route to the server. Behind a \
         proxy, the proxy terminates TLS.\nThe proxies drop connections that are idle for 2 s, which is \
         checked first. undici does not compress what it sends.\n\n",
    );
    let names = routes.all.iter().map(|route| route.name.as_str());
    table += &head(["client", ""].into_iter().chain(names));
    for (row, reports) in rows.iter().zip(reports) {
        let client = reports.first().map_or("", |report| &report.client);
        write!(table, "| {client} | {} |", row.deflate()).ok();
        for report in reports {
            write!(table, " {} |", report.trials).ok();
        }
        table.push('\n');
    }
    table
}

fn table_of_trials(clients: &[Client]) -> String {
    let mut table = String::from("A dash means that the client has no API for the trial.\n\n");
    let names = clients.iter().map(|client| client.name());
    table += &head(["trial", ""].into_iter().chain(names));
    for (name, what) in TRIALS {
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
