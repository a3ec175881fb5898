//! Where code, tests and documents cite ids.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::ids::ids;
use crate::run::{Failure, root};

/// The places that cite each id.
pub(super) struct Citations(BTreeMap<String, Places>);

#[derive(Default)]
pub(super) struct Places {
    pub(super) code: Vec<String>,
    pub(super) test: Vec<String>,
    document: Vec<String>,
}

#[derive(Clone, Copy)]
enum Side {
    Code,
    Test,
    Document,
}

impl Citations {
    /// Removes and returns the places that cite an id.
    pub(super) fn take(&mut self, id: &str) -> Places {
        self.0.remove(id).unwrap_or_default()
    }

    /// Returns the tests that cite an id.
    pub(super) fn tests(&self, id: &str) -> &[String] {
        self.0.get(id).map_or(&[], |places| &places.test)
    }

    /// Returns the remaining ids that are not defined, each with a place.
    pub(super) fn undefined(
        &self,
        defined: &BTreeSet<String>,
    ) -> impl Iterator<Item = (&String, &String)> {
        let undefined = self.0.iter().filter(|(id, _)| !defined.contains(*id));
        undefined.filter_map(|(id, places)| {
            let mut all = places.code.iter().chain(&places.test).chain(&places.document);
            Some((id, all.next()?))
        })
    }
}

/// Reads all citations in the crates, the fuzz targets and the documents.
pub(super) fn citations() -> Result<Citations, Failure> {
    let mut citations = Citations(BTreeMap::new());
    for folder in ["crates", "fuzz/src", "docs"] {
        let mut files = Vec::new();
        sources(&root().join(folder), &mut files)?;
        files.sort();
        for file in files {
            read(&file, &mut citations)?;
        }
    }
    Ok(citations)
}

fn read(file: &Path, citations: &mut Citations) -> Result<(), Failure> {
    let path = file.strip_prefix(root())?.display().to_string();
    let path = path.strip_prefix("crates/").unwrap_or(&path);
    let mut side = side(path);
    for (number, line) in (1..).zip(fs::read_to_string(file)?.lines()) {
        // Unit tests are at the end of a source file.
        if line == "#[cfg(test)]" {
            side = Side::Test;
        }
        for id in ids(line) {
            let places = citations.0.entry(id).or_default();
            let places = match side {
                Side::Code => &mut places.code,
                Side::Test => &mut places.test,
                Side::Document => &mut places.document,
            };
            places.push(format!("{path}:{number}"));
        }
    }
    Ok(())
}

fn side(path: &str) -> Side {
    if path.ends_with(".md") {
        Side::Document
    } else if path.starts_with("lab/") || path.starts_with("fuzz/") || path.contains("/test") {
        Side::Test
    } else {
        Side::Code
    }
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_kind = |kinds: &[&str]| {
            path.extension().is_some_and(|extension| kinds.iter().any(|kind| extension == *kind))
        };
        if path.is_dir() && !path.ends_with("node_modules") {
            sources(&path, files)?;
        } else if is_kind(&["rs", "js", "mjs", "md"]) {
            files.push(path);
        }
    }
    Ok(())
}
