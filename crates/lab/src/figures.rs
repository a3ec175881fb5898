//! Figures that tests print, for `docs/conformance.md`.

use std::fmt::Display;

/// Prints a figure of the test of `fault`. `cargo test -- --nocapture` shows it.
#[expect(clippy::print_stdout, reason = "a figure is a result of the test")]
pub fn show(fault: &str, what: impl Display, figure: impl Display) {
    println!("{fault}  {:<50}  {figure}", what.to_string());
}
