//! Checks citations: `specs/` must define each id that code, tests and documents cite. Code and
//! tests must cite each requirement of the RFCs, unless `specs/exceptions.md` gives a reason.

mod citations;
mod ids;
mod named_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;

use crate::run::{Failure, root};
use citations::{Citations, citations};

/// The lists whose requirements need evidence.
const RFCS: [&str; 3] = ["rfc6455.md", "rfc7692.md", "rfc8441.md"];
/// The lists that only define ids.
const OTHERS: [&str; 3] = ["whatwg.md", "faults.md", "hub.md"];

/// The levels. Requirements of the last level are optional.
const LEVELS: [&str; 4] = ["MUST", "SHOULD", "definition", MAY];
const MAY: &str = "MAY";

/// A requirement of an RFC and its evidence.
struct Requirement {
    id: String,
    level: String,
    code: Evidence,
    test: Evidence,
}

/// Where the code or the tests cite a requirement, and whether an exception applies.
struct Evidence {
    places: Vec<String>,
    excused: bool,
}

/// Prints the evidence for each requirement. Fails if evidence is missing, if a cited id is not
/// defined, or if a document names a test that does not exist.
pub(crate) fn check() -> Result<(), Failure> {
    let mut cited = citations()?;
    let mut excused = exceptions()?;
    let mut defined = BTreeSet::new();
    let mut faults = Vec::new();

    let mut requirements = Vec::new();
    for list in RFCS {
        for cells in rows(list)? {
            let [id, level, ..] = &cells[..] else {
                return Err(Failure(format!("specs/{list}: a row without a level: {cells:?}")));
            };
            let sides = cited.take(id);
            let (not_code, not_test) = excused.remove(id).unwrap_or_default();
            requirements.push(Requirement {
                id: id.clone(),
                level: level.clone(),
                code: Evidence { places: sides.code, excused: not_code },
                test: Evidence { places: sides.test, excused: not_test },
            });
        }
    }
    for list in OTHERS {
        let ids: Vec<_> =
            rows(list)?.into_iter().filter_map(|cells| cells.into_iter().next()).collect();
        print_tested(list, &ids, &cited);
        defined.extend(ids);
    }
    requirements.iter().for_each(|requirement| println!("{requirement}"));
    LEVELS.iter().for_each(|level| println!("{}", summary(level, &requirements)));

    faults.extend(requirements.iter().flat_map(Requirement::faults));
    faults.extend(
        cited
            .undefined(&defined)
            .map(|(id, place)| format!("{place} cites {id}, which specs/ does not define")),
    );
    faults.extend(
        excused
            .keys()
            .map(|id| format!("specs/exceptions.md excuses {id}, which is not a requirement")),
    );
    faults.extend(named_tests::missing()?);
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
                Some(format!("{} is not cited in the {name}", self.id))
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

/// Prints the tests that cite each id of a list that needs no evidence.
fn print_tested(list: &str, ids: &[String], cited: &Citations) {
    let tested = ids.iter().filter(|id| {
        let tests = cited.tests(id);
        let evidence = Evidence { places: tests.to_vec(), excused: false };
        println!("{id:<20}{evidence}");
        !tests.is_empty()
    });
    println!("{list}: tests cite {} of {}", tested.count(), ids.len());
}

/// Returns the cells of the table rows in a file of `specs/`, without the headings.
fn rows(file: &str) -> Result<Vec<Vec<String>>, Failure> {
    let text = fs::read_to_string(root().join("specs").join(file))?;
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let rows = rows.filter(|row| !row.starts_with("id "));
    Ok(rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect()).collect())
}

/// Returns for each exception whether it applies to the code and to the tests.
fn exceptions() -> Result<BTreeMap<String, (bool, bool)>, Failure> {
    let exceptions = rows("exceptions.md")?.into_iter().map(|cells| {
        let sides = match cells.get(1).map(String::as_str) {
            Some("code") => (true, false),
            Some("test") => (false, true),
            Some("code, test") => (true, true),
            _ => return Err(Failure(format!("specs/exceptions.md: {cells:?} excuses nothing"))),
        };
        Ok((cells[0].clone(), sides))
    });
    exceptions.collect()
}
