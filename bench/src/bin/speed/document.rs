use std::fs;
use std::io;
use std::process::Command;

use crate::plot;
use crate::table::Table;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

/// Writes `docs/speed.md` and `docs/speed.svg`.
pub(crate) fn write(tables: &[Table], rounds: usize) -> io::Result<()> {
    fs::write(format!("{DOCS}/speed.svg"), plot::svg(tables))?;
    fs::write(format!("{DOCS}/speed.md"), document(tables, rounds)?)
}

/// Writes `docs/speed-native.md`.
pub(crate) fn write_native(tables: &[Table], rounds: usize) -> io::Result<()> {
    let document = format!(
        "# Speed, built for the processor\n\n{}. The programs are those of [speed.md](speed.md), compiled with \
         `-C target-cpu=native` and `lto = \"fat\"`.\n\n{}\n\n{}",
        source("cargo xtask bench --native", rounds)?,
        COLUMNS,
        joined(tables)
    );
    fs::write(format!("{DOCS}/speed-native.md"), document)
}

/// Writes `docs/speed-http2.md`.
pub(crate) fn write_http2(tables: &[Table], rounds: usize) -> io::Result<()> {
    let document = format!(
        "# Speed over HTTP/2\n\n{}. [performance.md](performance.md#speed) says how it is measured.\n\n\
         Each connection of a workload is a stream (RFC 8441), and all streams are in one HTTP/2 connection. The \
         server without a protocol echoes the bytes of each stream. All servers have the windows of hyper: 1 MiB \
         for each stream.\n\n{}\n\n{}",
        source("cargo xtask bench --http2 --write", rounds)?,
        COLUMNS,
        joined(tables)
    );
    fs::write(format!("{DOCS}/speed-http2.md"), document)
}

fn document(tables: &[Table], rounds: usize) -> io::Result<String> {
    Ok(format!(
        "# Speed\n\n{}. [performance.md](performance.md#speed) says how it is measured.\n\n\
         The picture shows the processor time of a message, as a multiple of the time without a \
         protocol on the same runtime. Shorter is better.\n\n\
         ![Cost of a message, for each workload and library](speed.svg)\n\n{}\n\n{}",
        source("cargo xtask bench --write", rounds)?,
        COLUMNS,
        joined(tables)
    ))
}

/// Says where the figures come from.
fn source(command: &str, rounds: usize) -> io::Result<String> {
    let date = output("date", &["--utc", "+%F"])?;
    let commit = output("git", &["-C", DOCS, "rev-parse", "--short", "HEAD"])?;
    let system = output("uname", &["-sr"])?;
    let compiler = output("rustc", &["--version"])?;
    let processor = processor()?;
    Ok(format!(
        "Written by `{command}` on {date} at the commit `{commit}`: {processor}, {system}, {compiler}, \
         {rounds} rounds"
    ))
}

fn joined(tables: &[Table]) -> String {
    let tables: Vec<String> = tables.iter().map(ToString::to_string).collect();
    tables.join("\n")
}

fn output(program: &str, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    let text = String::from_utf8(output.stdout).map_err(io::Error::other)?;
    Ok(text.trim().to_owned())
}

fn processor() -> io::Result<String> {
    let text = fs::read_to_string("/proc/cpuinfo")?;
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    Ok(model.map_or("an unknown processor", |(_, model)| model).to_owned())
}

/// Explains the columns of the tables.
const COLUMNS: &str = "In the tables, \"to raw\" is the processor time of a message as a multiple of the time without \
    a protocol on the same runtime. All figures are medians of the rounds; the minimum and the maximum are in brackets. \
    \"busy\" is the share of the time in which the peer ran, and \"generator busy\" the share of the other end. \"(!)\" marks \
    figures whose other end was so busy that it may have limited the rate.";
