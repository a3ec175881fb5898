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

fn document(tables: &[Table], rounds: usize) -> io::Result<String> {
    let date = output("date", &["--utc", "+%F"])?;
    let commit = output("git", &["-C", DOCS, "rev-parse", "--short", "HEAD"])?;
    let system = output("uname", &["-sr"])?;
    let compiler = output("rustc", &["--version"])?;
    let processor = processor()?;
    let tables: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let tables = tables.join("\n");
    Ok(format!(
        "# Speed\n\n\
         Written by `cargo xtask bench --write` on {date} at the commit `{commit}`: {processor}, \
         {system}, {compiler}, {rounds} rounds. [performance.md](performance.md#speed) says how it \
         is measured.\n\n\
         The picture shows the processor time of a message, as a multiple of the time without a \
         protocol on the same runtime. Shorter is better.\n\n\
         ![Cost of a message, for each workload and library](speed.svg)\n\n\
         In the tables, \"to raw\" is that multiple. All figures are medians of the rounds; the minimum and the maximum are in brackets. \
         \"(!)\" marks figures whose other end was so busy that it may have limited the rate.\n\n\
         {tables}"
    ))
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
