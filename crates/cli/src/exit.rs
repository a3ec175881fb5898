use std::error::Error;
use std::fmt;

/// Why a command failed: one sentence for its user. An [`Ended`] also has an exit code; for every other
/// error it is [`Exit::Failed`].
pub(crate) type Failure = Box<dyn Error>;

/// The exit codes of `fdx`, besides 0. `clap` ends with [`Exit::Usage`] too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// A connection was lost, or an answer did not come.
    Failed = 1,
    /// The arguments cannot be used.
    Usage = 2,
    /// No connection was opened.
    NotConnected = 3,
}

/// The end of a command with an exit code of its own.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    reason: String,
}

/// Returns the failure for arguments that cannot be used.
pub(crate) fn usage(reason: impl fmt::Display) -> Failure {
    Box::new(Ended { exit: Exit::Usage, reason: reason.to_string() })
}

/// Returns the failure for a connection that was not opened.
pub(crate) fn not_connected(reason: impl fmt::Display) -> Failure {
    Box::new(Ended { exit: Exit::NotConnected, reason: reason.to_string() })
}

/// Returns the failure of a command that has already told its reason.
pub(crate) fn silent(exit: Exit) -> Failure {
    Box::new(Ended { exit, reason: String::new() })
}

/// Returns the exit code for a failure.
pub(crate) fn exit_of(failure: &Failure) -> Exit {
    failure.downcast_ref::<Ended>().map_or(Exit::Failed, |ended| ended.exit)
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for Ended {}
