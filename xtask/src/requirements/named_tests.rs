//! Checks that the tests named in documents exist.

use std::fs;

use crate::run::{Failure, root};

/// Returns a message for each `path::name` in backticks in `docs/` or `specs/` that is not a
/// function in the file at that path.
pub(super) fn missing() -> Result<Vec<String>, Failure> {
    let mut missing = Vec::new();
    for folder in ["docs", "specs"] {
        for entry in fs::read_dir(root().join(folder))? {
            let document = entry?.path();
            if document.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = fs::read_to_string(&document)?;
            for (path, name) in tests(&text) {
                let source = fs::read_to_string(root().join(&path)).unwrap_or_default();
                if !source.contains(&format!("fn {name}(")) {
                    let document = document.strip_prefix(root())?.display();
                    missing.push(format!("{document} names {path}::{name}, which does not exist"));
                }
            }
        }
    }
    Ok(missing)
}

/// Returns the path of the file and the name of each test that a document names.
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
