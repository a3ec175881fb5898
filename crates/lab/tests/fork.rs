//! A program that forks.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

use std::collections::HashSet;
use std::process::Command;

/// FS-16: `fork` copies the pool of masking keys, but the child does not use these keys.
#[test]
fn parent_and_child_use_different_masking_keys() {
    let output = Command::new(env!("CARGO_BIN_EXE_forked")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let keys = |process: &str| -> HashSet<String> {
        let line = printed.lines().find_map(|line| line.strip_prefix(process)).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    };
    let (parent, child) = (keys("parent "), keys("child "));
    // Two random keys are equal by chance in one run of 400,000.
    assert!(parent.len() >= 99 && child.len() >= 99, "{printed}");
    assert!(parent.is_disjoint(&child), "{:?}", parent.intersection(&child));
}
