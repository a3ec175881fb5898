//! The guide: builds it with mdBook, and checks the links in all Markdown files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Failure, cargo, output, root, run};

const MDBOOK_VERSION: &str = "0.5.4";

/// Builds docs/guide into target/guide. Installs mdBook below target/ first.
pub(crate) fn build() -> Result<(), Failure> {
    check_links()?;
    let mdbook = install()?;
    run(Command::new(mdbook).arg("build").arg(root().join("docs/guide")))
}

fn install() -> Result<PathBuf, Failure> {
    let tools = root().join("target/tools");
    let mdbook = tools.join("bin/mdbook");
    let version = format!("mdbook v{MDBOOK_VERSION}");
    let is_there =
        mdbook.exists() && output(Command::new(&mdbook).arg("--version"))?.trim() == version;
    if !is_there {
        let install = ["install", "--quiet", "--locked", "--debug", "--no-default-features"];
        run(cargo(install).args(["--version", MDBOOK_VERSION, "mdbook", "--root"]).arg(&tools))?;
    }
    Ok(mdbook)
}

/// Fails if a link within the repository points to a file or a heading that does not exist.
fn check_links() -> Result<(), Failure> {
    let listed = output(Command::new("git").args(["ls-files", "*.md"]).current_dir(root()))?;
    let mut dead = Vec::new();
    for file in listed.lines() {
        let path = root().join(file);
        for link in links(&fs::read_to_string(&path)?) {
            if !leads_somewhere(&path, &link)? {
                dead.push(format!("{file}: {link}"));
            }
        }
    }
    match dead.len() {
        0 => Ok(()),
        count => Err(Failure(format!("{count} links lead nowhere:\n{}", dead.join("\n")))),
    }
}

fn leads_somewhere(file: &Path, link: &str) -> Result<bool, Failure> {
    let (target, heading) = link.split_once('#').unwrap_or((link, ""));
    let path = match target {
        "" => file.to_owned(),
        target => file.parent().unwrap_or(file).join(target),
    };
    if !path.exists() {
        return Ok(false);
    }
    Ok(heading.is_empty() || headings(&fs::read_to_string(path)?).contains(heading))
}

/// Returns the targets of `[text](target)` and `[name]: target` outside code, except those on other
/// hosts.
fn links(markdown: &str) -> BTreeSet<String> {
    let mut links = BTreeSet::new();
    for line in prose(markdown) {
        let inline = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        links.extend(inline.map(|(target, _)| target));
        if line.starts_with('[') {
            links.extend(line.split_once("]: ").map(|(_, target)| target.trim()));
        }
    }
    let is_local = |link: &&str| !link.contains("://") && !link.contains("::");
    links.into_iter().filter(is_local).map(str::to_owned).collect()
}

/// Returns the anchors of the headings, as GitHub and mdBook generate them.
fn headings(markdown: &str) -> BTreeSet<String> {
    let headings = prose(markdown).filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// Returns the lines outside fenced code.
fn prose(markdown: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    markdown.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_outside_code_are_found() {
        let markdown = "[a](b.md#c) and [d](https://e/)\n```\n[f](g.md)\n```\n[h]: i.md\n";
        assert_eq!(links(markdown), ["b.md#c", "i.md"].map(str::to_owned).into());
    }

    #[test]
    fn headings_have_the_anchors_of_github() {
        let anchors = headings("# A client, and `more`\n```\n# no heading\n```\n");
        assert_eq!(anchors, ["a-client-and-more".to_owned()].into());
    }
}
