use std::fmt;

use crate::run::Failure;

/// The percentage by which a count may differ from the table.
const TOLERANCE: u64 = 3;

/// The separator of the table's columns.
const GAP: &str = "  ";

/// The table of `bench/engine.txt`: instructions per message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The versions that affect the counts, besides those of the libraries.
    pub(crate) counted_with: String,
    /// The columns: libraries with their versions, fullduplex first.
    pub(crate) libraries: Vec<String>,
    /// The rows.
    pub(crate) cases: Vec<Case>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// One count for each library.
    pub(crate) counts: Vec<u64>,
}

/// A count of fullduplex that differs from the table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    case: String,
    written: u64,
    counted: u64,
}

impl Counts {
    /// Parses a table in the form that [`Counts`] prints.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let mut line = || lines.next().ok_or_else(|| Failure("the table has no head".into()));
        let (counted_with, head) = (line()?.to_owned(), line()?);
        let libraries: Vec<_> = head.split(GAP).map(str::trim).filter(|l| !l.is_empty()).collect();
        let cases = lines.map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap_or_default().to_owned();
            let counts = words.map(str::parse).collect::<Result<Vec<_>, _>>()?;
            if counts.len() == libraries.len() {
                Ok(Case { name, counts })
            } else {
                Err(Failure(format!("{name} has {} counts in the table", counts.len())))
            }
        });
        let cases = cases.collect::<Result<_, _>>()?;
        Ok(Self { counted_with, libraries: libraries.into_iter().map(Into::into).collect(), cases })
    }

    /// Returns the counts of fullduplex that differ by more than the tolerance.
    ///
    /// # Errors
    /// Fails if the table has other libraries or cases.
    pub(crate) fn compare(
        &self,
        libraries: &[String],
        ours: &[(String, u64)],
    ) -> Result<Vec<Change>, Failure> {
        let is_same =
            self.cases.iter().map(|case| &case.name).eq(ours.iter().map(|(name, _)| name))
                && self.libraries == libraries;
        if !is_same {
            return Err(Failure("the table has other cases, libraries or versions".into()));
        }
        let pairs = self.cases.iter().zip(ours);
        let changes = pairs.map(|(case, (name, counted))| {
            let written = case.counts.first().copied().unwrap_or_default();
            Change { case: name.clone(), written, counted: *counted }
        });
        Ok(changes.filter(|change| change.is_worse() || change.is_better()).collect())
    }
}

impl Change {
    pub(crate) fn is_worse(&self) -> bool {
        self.counted * 100 > self.written * (100 + TOLERANCE)
    }

    fn is_better(&self) -> bool {
        self.counted * 100 < self.written * (100 - TOLERANCE)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, written, counted } = self;
        let percent = (*counted as f64 / *written as f64 - 1.0) * 100.0;
        write!(f, "{case}: {counted} instructions, {percent:+.1} % from the recorded {written}")
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.cases.iter().map(|case| case.name.len()).max().unwrap_or_default();
        write!(f, "{}\n\n{:first$}", self.counted_with, "")?;
        self.libraries.iter().try_for_each(|library| write!(f, "{GAP}{library}"))?;
        for case in &self.cases {
            write!(f, "\n{:first$}", case.name)?;
            for (library, count) in self.libraries.iter().zip(&case.counts) {
                write!(f, "{GAP}{count:>width$}", width = library.len())?;
            }
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Counts {
        let case = |name: &str, counts: &[u64]| Case { name: name.into(), counts: counts.into() };
        Counts {
            counted_with: "rustc 1.95.0 (59807616e 2026-04-14), glibc 2.36".into(),
            libraries: vec!["ours 0.1.0".into(), "theirs 2.0.0".into()],
            cases: vec![case("server-receives", &[1000, 2000]), case("client-sends", &[100, 99])],
        }
    }

    /// Returns the number of worse and of better counts.
    fn compared(ours: [(&str, u64); 2]) -> Option<(usize, usize)> {
        let ours = ours.map(|(name, count)| (name.to_owned(), count));
        let changes = written().compare(&written().libraries, &ours).ok()?;
        let worse = changes.iter().filter(|change| change.is_worse()).count();
        Some((worse, changes.len() - worse))
    }

    #[test]
    fn a_printed_table_can_be_parsed() {
        let text = written().to_string();
        assert_eq!(Counts::parse(&text).ok(), Some(written()), "{text}");
    }

    #[test]
    fn a_malformed_table_is_rejected() {
        for text in ["", "rustc", "rustc\n a  b\ncase 1", "rustc\n a  b\ncase 1 2 3", "r\n a\nc x"]
        {
            assert!(Counts::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn more_than_three_percent_is_a_change() {
        let compared =
            |first, second| compared([("server-receives", first), ("client-sends", second)]);
        assert_eq!(compared(1000, 100), Some((0, 0)));
        assert_eq!(compared(1030, 97), Some((0, 0)));
        assert_eq!(compared(1031, 100), Some((1, 0)));
        assert_eq!(compared(1000, 96), Some((0, 1)));
        assert_eq!(compared(1031, 104), Some((2, 0)));
    }

    #[test]
    fn other_cases_and_libraries_are_refused() {
        assert_eq!(compared([("client-sends", 100), ("server-receives", 1000)]), None);
        let one = [("server-receives".to_owned(), 1000)];
        assert!(written().compare(&written().libraries, &one).is_err());
        let ours = [one[0].clone(), ("client-sends".to_owned(), 100)];
        assert!(written().compare(&["ours 0.1.0".into(), "theirs 2.0.1".into()], &ours).is_err());
    }

    #[test]
    fn a_change_names_the_case_and_both_counts() {
        let change = Change { case: "client-sends".into(), written: 100, counted: 110 };
        let said = "client-sends: 110 instructions, +10.0 % from the recorded 100";
        assert_eq!(change.to_string(), said);
    }
}
