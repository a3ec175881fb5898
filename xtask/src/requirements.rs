//! Each requirement of the RFCs listed in `specs/` is cited by its id where the code obeys it and
//! where a test checks it; or `specs/exceptions.md` says why not.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Failure, root};

const LISTS: [&str; 2] = ["rfc6455.md", "rfc7692.md"];

/// The levels, of which the last only says what is allowed: nobody has to show it.
const LEVELS: [&str; 4] = ["MUST", "SHOULD", "definition", MAY];
const MAY: &str = "MAY";

/// One requirement, and what there is to show for it.
struct Requirement {
    id: String,
    level: String,
    code: Evidence,
    test: Evidence,
}

/// Where the code cites a requirement, or the tests do; or whether an exception excuses them.
#[derive(Default)]
struct Evidence {
    places: Vec<String>,
    excused: bool,
}

/// Prints what there is to show for each requirement, and fails where that is not enough.
pub(crate) fn check() -> Result<(), Failure> {
    let mut evidence = citations()?;
    excuse(&mut evidence)?;
    let mut requirements = Vec::new();
    for list in LISTS {
        for [id, level, _, _] in rows(list)? {
            let (code, test) = evidence.remove(&id).unwrap_or_default();
            requirements.push(Requirement { id, level, code, test });
        }
    }
    requirements.iter().for_each(|requirement| println!("{requirement}"));
    LEVELS.iter().for_each(|level| println!("{}", summary(level, &requirements)));

    let mut faults: Vec<String> = requirements.iter().flat_map(Requirement::faults).collect();
    // What is left is cited or excused, and not a requirement.
    faults.extend(evidence.into_iter().map(|(id, (code, test))| {
        format!("{id} is in no list: {}", [code, test].map(|side| side.to_string()).join(" "))
    }));
    faults.iter().for_each(|fault| println!("{fault}"));
    match faults.len() {
        0 => Ok(()),
        count => Err(Failure(format!("{count} citations are missing or wrong"))),
    }
}

impl Requirement {
    fn faults(&self) -> Vec<String> {
        if !LEVELS.contains(&&*self.level) {
            return vec![format!("{} has an unknown level, `{}`", self.id, self.level)];
        }
        let sides = [("code", &self.code), ("test", &self.test)];
        let faults = sides.map(|(name, side)| match (side.places.first(), side.excused) {
            (None, false) if self.level != MAY => {
                Some(format!("{} is cited in no {name}", self.id))
            }
            (Some(place), true) => {
                Some(format!("{} needs no exception for its {name}: {place}", self.id))
            }
            _ => None,
        });
        faults.into_iter().flatten().collect()
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, level, code, test } = self;
        write!(f, "{id:<20}{level:<12}{:<46}{test}", code.to_string())
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.places[..] {
            [] if self.excused => f.write_str("excused"),
            [] => f.write_str("-"),
            [place] => f.write_str(place),
            [first, others @ ..] => write!(f, "{first} +{}", others.len()),
        }
    }
}

fn summary(level: &str, requirements: &[Requirement]) -> String {
    let of_level = || requirements.iter().filter(|requirement| requirement.level == level);
    let cited = |side: &Evidence| !side.places.is_empty();
    let both = of_level().filter(|r| cited(&r.code) && cited(&r.test)).count();
    let excused = of_level().filter(|r| r.code.excused || r.test.excused).count();
    let total = of_level().count();
    format!("{level}: of {total} {both} are cited in code and tests, {excused} are excused")
}

/// The cells of the rows of a table in `specs/`, below its head.
fn rows<const CELLS: usize>(file: &str) -> Result<Vec<[String; CELLS]>, Failure> {
    let text = fs::read_to_string(root().join("specs").join(file))?;
    let rows = text.lines().filter(|line| line.starts_with("| RFC"));
    rows.map(|row| {
        let cells: Vec<String> =
            row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        cells
            .try_into()
            .map_err(|_| Failure(format!("specs/{file}: a row of another shape: {row}")))
    })
    .collect()
}

type Sides = (Evidence, Evidence);

/// Notes the exceptions: each excuses the code, the tests, or both.
fn excuse(evidence: &mut BTreeMap<String, Sides>) -> Result<(), Failure> {
    for [id, excused, _reason] in rows("exceptions.md")? {
        let (code, test) = evidence.entry(id).or_default();
        (code.excused, test.excused) = match &*excused {
            "code" => (true, false),
            "test" => (false, true),
            "code, test" => (true, true),
            other => return Err(Failure(format!("an exception from `{other}`"))),
        };
    }
    Ok(())
}

/// All citations in the crates, by id.
fn citations() -> Result<BTreeMap<String, Sides>, Failure> {
    let mut files = Vec::new();
    rust_files(&root().join("crates"), &mut files)?;
    files.sort();
    let mut evidence = BTreeMap::<String, Sides>::new();
    for file in files {
        let path = file.strip_prefix(root().join("crates"))?.display().to_string();
        // The lab is there for the tests; elsewhere they are the end of a source file.
        let mut in_tests = path.starts_with("lab/") || !path.contains("/src/");
        for (number, line) in (1..).zip(fs::read_to_string(&file)?.lines()) {
            in_tests |= line == "#[cfg(test)]";
            for id in ids(line) {
                let (code, test) = evidence.entry(id.to_owned()).or_default();
                let side = if in_tests { test } else { code };
                side.places.push(format!("{path}:{number}"));
            }
        }
    }
    Ok(evidence)
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The ids in a line, such as `RFC6455-5.1-1`.
fn ids(line: &str) -> impl Iterator<Item = &str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || ".-".contains(character);
    line.match_indices("RFC").filter_map(move |(start, _)| {
        let id = line[start..].split(|character| !is_part(character)).next()?;
        let id = id.trim_end_matches(['.', '-']);
        id.contains('-').then_some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_wherever_they_stand() {
        for (line, expected) in [
            ("/// RFC6455-5.1-1.", &["RFC6455-5.1-1"][..]),
            (
                "(RFC6455-7.4.1-1, RFC7692-vec): RFC6455-9-1",
                &["RFC6455-7.4.1-1", "RFC7692-vec", "RFC6455-9-1"],
            ),
            ("RFC 6455 section 5.1, RFC6455", &[]),
        ] {
            assert_eq!(ids(line).collect::<Vec<_>>(), expected);
        }
    }
}
