use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::secrets::Secrets;

/// The values that every command receives besides its arguments.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) interrupt: Interrupt,
    pub(crate) secrets: Secrets,
}
