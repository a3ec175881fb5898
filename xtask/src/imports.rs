//! Checks the imports within each crate. The files must not import each other in a cycle, and no import of a
//! neighbour may go through the root of the crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::run::{Failure, root};

/// A file as the path of its module, such as `["socket", "link"]`. The root of a crate is empty.
type Module = Vec<String>;

/// The imports of a crate: for each module, the modules that it names.
#[derive(Default)]
struct Imports {
    named: BTreeMap<Module, BTreeSet<Module>>,
    /// Paths that go through the root of the crate although the item's own module has a path.
    through_root: Vec<String>,
}

/// Fails if a crate has a cycle of imports, or an import through its root.
pub(crate) fn check() -> Result<(), Failure> {
    let mut faults = Vec::new();
    for folder in fs::read_dir(root().join("crates"))? {
        let folder = folder?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let imports = Imports::read(&folder.join("src"))?;
        let cycles = imports.cycles();
        faults.extend(cycles.iter().map(|cycle| format!("{name}: a cycle: {cycle}")));
        faults.extend(imports.through_root.iter().map(|import| format!("{name}: {import}")));
    }
    match faults.len() {
        0 => Ok(()),
        count => Err(Failure(format!("{count} imports break a rule:\n{}", faults.join("\n")))),
    }
}

impl Imports {
    fn read(src: &Path) -> Result<Self, Failure> {
        let mut files = BTreeMap::new();
        read_files(src, &mut Module::new(), &mut files)?;
        let modules: BTreeSet<Module> = files.keys().cloned().collect();
        let mut imports = Self::default();
        for (module, text) in &files {
            let code = without_comments_and_tests(text);
            let mut named = BTreeSet::new();
            for path in paths(&code, module) {
                let target = longest_prefix(&path, &modules);
                if target.is_empty() && !module.is_empty() {
                    let (file, path) = (module.join("::"), path.join("::"));
                    imports.through_root.push(format!("`{file}` imports `crate::{path}`"));
                }
                named.insert(target);
            }
            let children = modules
                .iter()
                .filter(|child| child.split_last().is_some_and(|(_, parent)| parent == module));
            named.extend(children.filter(|child| uses_child(&code, child)).cloned());
            named.remove(module);
            named.remove(&Module::new());
            imports.named.insert(module.clone(), named);
        }
        Ok(imports)
    }

    /// Returns the cycles. Each is a group of modules that import each other, directly or through others.
    fn cycles(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut cycles = Vec::new();
        for module in self.named.keys() {
            let reached = self.reached_from(module);
            if !reached.contains(module) || seen.contains(module) {
                continue;
            }
            let is_back = |other: &&Module| self.reached_from(other).contains(module);
            let cycle: Vec<&Module> = reached.iter().filter(is_back).collect();
            cycles.push(cycle.iter().map(|m| m.join("::")).collect::<Vec<_>>().join(", "));
            seen.extend(cycle.into_iter().cloned());
        }
        cycles
    }

    fn reached_from(&self, module: &Module) -> BTreeSet<Module> {
        let mut reached = BTreeSet::new();
        let mut next = vec![module];
        while let Some(module) = next.pop() {
            let named = self.named.get(module).into_iter().flatten();
            next.extend(named.filter(|named| reached.insert((*named).clone())));
        }
        reached
    }
}

fn read_files(
    folder: &Path,
    module: &mut Module,
    files: &mut BTreeMap<Module, String>,
) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            // Each program below bin/ is a crate of its own.
            if name != "bin" {
                module.push(name);
                read_files(&path, module, files)?;
                module.pop();
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut module = module.clone();
            if !["lib", "main", "mod"].contains(&&*name) {
                module.push(name);
            }
            files.insert(module, fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

fn without_comments_and_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Returns the paths that begin with `crate::` or `super::`, from the root of the crate.
fn paths(code: &str, module: &[String]) -> Vec<Module> {
    let mut paths = Vec::new();
    for (at, keyword) in [("crate::", 0), ("super::", 1)].into_iter().flat_map(|(word, up)| {
        code.match_indices(word).map(move |(at, word)| (at + word.len(), up))
    }) {
        let before = code[..at].trim_end_matches(|c: char| c.is_alphanumeric() || c == ':');
        let start = &code[before.len()..at];
        let ups = start.matches("super::").count();
        let is_start = start == "crate::" || start.len() == ups * "super::".len();
        // `super::super::x` contains `super::` twice, but is one path.
        if !is_start || (keyword == 1 && code[at..].starts_with("super::")) {
            continue;
        }
        let base = if keyword == 0 { &[][..] } else { &module[..module.len().saturating_sub(ups)] };
        expand(base, &code[at..], &mut paths);
    }
    paths
}

/// Adds the paths of a tree such as `a::{b, c::d}`. Returns the rest of the code.
fn expand<'a>(base: &[String], code: &'a str, paths: &mut Vec<Module>) -> &'a str {
    let mut path = base.to_vec();
    let mut rest = code.trim_start();
    loop {
        if let Some(mut inner) = rest.strip_prefix('{') {
            loop {
                inner = expand(&path, inner, paths).trim_start();
                match inner.strip_prefix(',') {
                    Some(next) if !next.trim_start().starts_with('}') => inner = next,
                    _ => return inner.trim_start_matches([',', ' ', '\n']).trim_start_matches('}'),
                }
            }
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if !matches!(&rest[..end], "" | "self") {
            path.push(rest[..end].to_owned());
        }
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(next) => rest = next,
            None => {
                paths.push(path);
                let renamed = rest.trim_start().strip_prefix("as ");
                return renamed.map_or(rest, |name| {
                    name.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
                });
            }
        }
    }
}

/// Returns whether a module uses items of its child, rather than only re-exporting them.
fn uses_child(code: &str, child: &[String]) -> bool {
    let Some(name) = child.last() else { return false };
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("pub"));
    let path = format!("{name}::");
    lines.into_iter().any(|line| {
        let mut places = line.match_indices(&path);
        places
            .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c)))
    })
}

fn longest_prefix(path: &[String], modules: &BTreeSet<Module>) -> Module {
    let lengths = (0..=path.len()).rev();
    let mut prefixes = lengths.map(|len| path[..len].to_vec());
    prefixes.find(|prefix| modules.contains(prefix)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(code: &str, module: &[&str]) -> Vec<String> {
        let module: Module = module.iter().map(|&name| name.to_owned()).collect();
        paths(code, &module).into_iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn all_paths_of_a_tree_are_found() {
        let code =
            "use crate::a::{self, b::{C, D as E}, f};\nuse crate::g;\nfn h() { crate::i::j() }";
        assert_eq!(named(code, &["k"]), ["a", "a::b::C", "a::b::D", "a::f", "g", "i::j"]);
    }

    #[test]
    fn super_is_the_parent_module() {
        assert_eq!(named("use super::b::C;", &["a", "d"]), ["a::b::C"]);
        assert_eq!(named("use super::super::{e, F};", &["a", "d"]), ["e", "F"]);
    }

    #[test]
    fn a_cycle_is_shown_once() {
        let module = |name: &str| vec![name.to_owned()];
        let mut imports = Imports::default();
        for (from, to) in [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")] {
            imports.named.entry(module(from)).or_default().insert(module(to));
        }
        assert_eq!(imports.cycles(), ["a, b, c"]);
    }
}
