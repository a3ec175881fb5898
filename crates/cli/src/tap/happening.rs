use std::io;
use std::net::SocketAddr;

use fullduplex_net::proto::{Observed, Role};
use http::{Request, Response};

use super::lane::Passed;

/// What happens on a connection.
#[derive(Debug)]
pub(super) enum Happening<'a> {
    /// A client at this address asks for something.
    Request(SocketAddr, &'a Request<()>),
    /// A server answers.
    Response(&'a Response<()>),
    /// A frame of this end has passed.
    Frame(Role, &'a Observed),
    /// This end sends no more. A frame may have been under way.
    End(Role, Option<&'a Observed>),
    /// A stream broke: that of this end.
    Broken(Role, &'a io::Error),
    /// There is nothing to pass on between the ends, for this reason.
    Failed(String),
    /// The connection is over; so much has passed, of the client and of the server.
    Over(Passed, Passed),
}
