use std::error::Error;
use std::fmt;

/// Why a command failed, in one sentence for the user. An [`Ended`] also has an exit code. The exit
/// code of all other errors is [`Exit::Failed`].
pub(crate) type Failure = Box<dyn Error>;

/// The exit codes of `fdx` other than 0. `clap` also exits with [`Exit::Usage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// A connection was lost, or an answer did not arrive.
    Failed = 1,
    /// The arguments are invalid.
    Usage = 2,
    /// No connection was opened.
    NotConnected = 3,
}

/// The end of a command, with an exit code.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    reason: String,
}

/// Returns the failure for invalid arguments.
pub(crate) fn usage(reason: impl fmt::Display) -> Failure {
    Box::new(Ended { exit: Exit::Usage, reason: reason.to_string() })
}

/// Returns the failure for a connection that was not opened.
pub(crate) fn not_connected(reason: impl fmt::Display) -> Failure {
    Box::new(Ended { exit: Exit::NotConnected, reason: reason.to_string() })
}

/// Returns the failure of a command that has already printed the reason.
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
