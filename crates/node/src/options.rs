use fullduplex::{AfterClose, Builder};
use napi_derive::napi;

/// What the third argument of the constructor may have, converted.
#[napi(object)]
#[derive(Default)]
pub struct Options {
    /// The subprotocols to offer.
    pub protocols: Vec<String>,
}

impl Options {
    pub(crate) fn apply(self, builder: Builder) -> Result<Builder, fullduplex::Error> {
        // WHATWG's choice: nothing is received after close().
        builder.after_close(AfterClose::Drop).protocols(self.protocols)
    }
}
