//! The tests that the documents name exist.

use std::fs;

use crate::run::{Failure, root};

/// Fails unless each `path::name` in backticks in `docs/` is a function of the file at that path.
pub(crate) fn check() -> Result<(), Failure> {
    let (mut found, mut missing) = (0, 0);
    for entry in fs::read_dir(root().join("docs"))? {
        let document = entry?.file_name().display().to_string();
        if !document.ends_with(".md") {
            continue;
        }
        let text = fs::read_to_string(root().join("docs").join(&document))?;
        for (path, name) in tests(&text) {
            let source = fs::read_to_string(root().join(&path)).unwrap_or_default();
            if source.contains(&format!("fn {name}(")) {
                found += 1;
            } else {
                missing += 1;
                println!("docs/{document} names {path}::{name}, which does not exist");
            }
        }
    }
    println!("docs/: of {} tests that are named {found} exist", found + missing);
    if missing == 0 { Ok(()) } else { Err(Failure(format!("{missing} tests do not exist"))) }
}

/// The path of the file and the name of each test that a document names.
fn tests(document: &str) -> impl Iterator<Item = (String, &str)> {
    let quoted = document.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.filter_map(|quoted| {
        let (path, name) = quoted.split_once(".rs::")?;
        Some((format!("{path}.rs"), name))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn tests_are_named_in_backticks() {
        let document = "| a | `cargo` finds `x/a.rs::one`, `x/b.rs::two` |\n| b | x/c.rs::three |";
        let expected = [("x/a.rs".to_owned(), "one"), ("x/b.rs".to_owned(), "two")];
        assert_eq!(super::tests(document).collect::<Vec<_>>(), expected);
    }
}
