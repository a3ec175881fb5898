use std::rc::Rc;

use super::worker::Run;
use crate::secrets::Secrets;

/// The end of a run. The record of the run contains the measurements.
#[derive(Debug)]
pub(super) struct BenchResult {
    pub(super) run: Rc<Run>,
    pub(super) cut_short: bool,
    pub(super) secrets: Secrets,
}
