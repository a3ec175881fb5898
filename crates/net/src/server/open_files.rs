//! The limit of open files, if the system reports it.

use std::sync::OnceLock;

/// Returns the soft limit of open files, or `None` if it is unlimited or unknown.
pub(crate) fn limit() -> Option<usize> {
    static LIMIT: OnceLock<Option<usize>> = OnceLock::new();
    *LIMIT.get_or_init(|| parse(&std::fs::read_to_string("/proc/self/limits").ok()?))
}

/// Reads the limit of a table in the form of Linux.
fn parse(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Returns how many descriptors a server leaves free for refusals and for the rest of the process.
pub(crate) fn reserve(limit: usize) -> usize {
    (limit / 4).min(128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read() {
        let table = "Limit                     Soft Limit           Hard Limit           Units     \n\
                     Max processes             63422                63422                processes \n\
                     Max open files            1024                 1048576              files     \n";
        assert_eq!(parse(table), Some(1024));
        assert_eq!(parse("Max open files   unlimited   unlimited   files"), None);
        assert_eq!(parse(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_limit_is_that_of_the_process() {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let soft = limit().map_or("unlimited".to_owned(), |limit| limit.to_string());
        assert_eq!(line.split_whitespace().nth(3), Some(&*soft));
    }

    #[test]
    fn a_quarter_of_the_open_files_is_reserved_up_to_128() {
        assert_eq!([0, 100, 512, 1024].map(reserve), [0, 25, 128, 128]);
    }
}
