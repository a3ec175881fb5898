//! The limit of open files.

use std::io;

use rustix::process::{Resource, getrlimit, setrlimit};

/// The number of files that a program opens besides its connections.
const OTHER_FILES: usize = 100;

/// Raises the limit of open files, so that this program and the programs that it starts can have `connections`
/// connections each.
///
/// # Errors
/// Fails if the limit of the system is lower.
pub fn allow_connections(connections: usize) -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let count = (connections + OTHER_FILES) as u64;
    if limit.current.is_some_and(|current| current < count) {
        limit.current = Some(count);
        setrlimit(Resource::Nofile, limit).map_err(|error| {
            io::Error::other(format!("{count} files are needed (`ulimit -n`): {error}"))
        })?;
    }
    Ok(())
}
