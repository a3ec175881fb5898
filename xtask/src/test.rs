//! All tests: of the crates, against the peers, and of the npm package.

use crate::needs::{self, MissingPrograms, VENV, has, search_path};
use crate::run::{Failure, cargo, output, run};
use crate::{node, peers};

/// Runs the tests. Lists those that were skipped because a program is missing, or fails if `everything`
/// must run.
pub(crate) fn test(everything: bool, arguments: &[String]) -> Result<(), Failure> {
    // Arguments select Rust tests, so the npm package is not tested then.
    let selects = !arguments.is_empty();
    let mut split = arguments.splitn(2, |argument| argument == "--");
    let of_cargo = split.next().unwrap_or_default();
    let of_tests = split.next().unwrap_or_default();

    run(cargo(["test", "--workspace", "--no-run", "--quiet"]).args(of_cargo))?;
    let list = |flags: &[&str]| {
        let mut list = cargo(["test", "--workspace", "--tests", "--quiet"]);
        output(list.args(of_cargo).args(["--", "--list"]).args(flags))
    };
    let ignored = list(&["--ignored"])?;
    needs::check_ignored(&list(&[])?, &ignored)?;
    let mut missing = MissingPrograms::rust(&ignored, has);
    if !selects {
        missing.npm(has)?;
    }
    if everything && !missing.is_empty() {
        return Err(Failure(format!("could not run all tests: programs are missing\n{missing}")));
    }

    if !missing.lacks("npm") && !missing.lacks(VENV) {
        peers::install()?;
    }
    let mut tests = cargo(["test", "--workspace"]);
    tests.args(of_cargo).args(["--", "--include-ignored"]).args(missing.skip()).args(of_tests);
    run(tests.env("PATH", search_path()))?;
    if !selects && !missing.lacks("npm") {
        node::test(everything)?;
    }
    if !missing.is_empty() {
        println!("\nAll tests passed, but these were skipped:\n{missing}");
    }
    Ok(())
}
