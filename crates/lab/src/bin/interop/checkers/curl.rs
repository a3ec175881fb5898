//! curl, with the options of scripts that check a server.

use std::process::Command;

use super::{Check, Servers};
use crate::Failure;

const FORMS: [&[&str]; 6] = [
    &["-I"],
    &["-f"],
    &["-f", "--http1.0"],
    &["-f", "-X", "OPTIONS"],
    &["-fI", "--http1.0"],
    &["-fI", "-k"],
];

pub(super) fn checks(servers: &Servers) -> Result<Vec<Check>, Failure> {
    let said = String::from_utf8(curl(&["--version"], None)?.stdout)?;
    let version = said.split(' ').nth(1).unwrap_or_default();
    let check = |form: &&[&str]| {
        let is_tls = form.contains(&"-k");
        let (well, ill) =
            if is_tls { (servers.well_tls, servers.ill_tls) } else { (servers.well, servers.ill) };
        let scheme = if is_tls { "https" } else { "http" };
        let [well, ill] = [well, ill].map(|port| {
            let url = format!("{scheme}://127.0.0.1:{port}/health");
            let output = curl(form, Some(&url))?;
            let code = output.status.code().unwrap_or(-1);
            Ok::<_, Failure>(format!("{}, exit {code}", String::from_utf8(output.stdout)?))
        });
        let (well, ill) = (well?, ill?);
        // Without `-f`, every response is a success, whatever its status.
        let failed = if form.iter().any(|word| word.starts_with("-f")) { 22 } else { 0 };
        if well != "200, exit 0" || ill != format!("500, exit {failed}") {
            return Err(format!("curl {}: {well}; {ill}", form.join(" ")).into());
        }
        let scheme = if is_tls { " https://…" } else { "" };
        let form = format!("`curl {}`{scheme}", form.join(" "));
        Ok(Check { checker: format!("curl {version}"), form, well, ill })
    };
    FORMS.iter().map(check).collect()
}

fn curl(words: &[&str], url: Option<&str>) -> Result<std::process::Output, Failure> {
    let mut command = Command::new("curl");
    command.args(words).args(url);
    if url.is_some() {
        // Prints only the status. A response that does not end is an error.
        let print = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"];
        command.args(print).args(["--noproxy", "*", "--max-time", "10"]);
    }
    Ok(command.output().map_err(|error| format!("could not run curl: {error}"))?)
}
