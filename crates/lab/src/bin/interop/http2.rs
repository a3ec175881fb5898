use fullduplex_lab::clients::{Client, Version};

use crate::{Failure, our_client, our_server};

pub(crate) const TITLE: &str = "## WebSockets over HTTP/2";

/// Tries our server and our client over HTTP/2 (RFC 8441), and returns the section of the document.
pub(crate) fn try_all() -> Result<String, Failure> {
    let server = our_server::try_with(&Client::HTTP2, Version::Http2)?;
    let client = our_client::try_all(Version::Http2)?;
    let fall_back = our_client::fall_back()?;
    Ok(format!("{TITLE}\n\n{server}\n{client}\n{fall_back}"))
}
