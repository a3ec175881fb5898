use std::error::Error;
use std::fmt;

/// Why a command did not do what it was asked to: one sentence for the person who asked. An
/// [`Ended`] says by which exit code as well; all else is [`Exit::Failed`].
pub(crate) type Failure = Box<dyn Error>;

/// The exit codes of `fdx`, besides 0. `clap` ends with [`Exit::Usage`] too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was begun did not end well.
    Failed = 1,
    /// The arguments cannot be used.
    Usage = 2,
    /// There was never a connection.
    NotConnected = 3,
}

/// A command's end with an exit code of its own.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    reason: String,
}

/// The arguments cannot be used.
pub(crate) fn usage(reason: impl fmt::Display) -> Failure {
    Box::new(Ended { exit: Exit::Usage, reason: reason.to_string() })
}

/// There was never a connection.
pub(crate) fn not_connected(reason: impl fmt::Display) -> Failure {
    Box::new(Ended { exit: Exit::NotConnected, reason: reason.to_string() })
}

/// A command that has said itself why it ends so.
pub(crate) fn silent(exit: Exit) -> Failure {
    Box::new(Ended { exit, reason: String::new() })
}

/// The exit code for a failure.
pub(crate) fn exit_of(failure: &Failure) -> Exit {
    failure.downcast_ref::<Ended>().map_or(Exit::Failed, |ended| ended.exit)
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for Ended {}
