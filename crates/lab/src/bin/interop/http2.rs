use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::clients::{Client, Compression, Version};
use fullduplex_lab::echo;
use fullduplex_lab::folder::Folder;
use fullduplex_net::proto::Timeouts;

use crate::{Failure, our_client, our_server};

pub(crate) const TITLE: &str = "## WebSockets over HTTP/2";

/// Tries our server and our client over HTTP/2 (RFC 8441), and returns the section of the document.
pub(crate) fn try_all() -> Result<String, Failure> {
    let server = our_server::try_with(&Client::HTTP2, Version::Http2)?;
    let undici = undici()?;
    let client = our_client::try_all(Version::Http2)?;
    let fall_back = our_client::fall_back()?;
    Ok(format!("{TITLE}\n\n{server}\n{undici}\n{client}\n{fall_back}"))
}

/// Checks that undici still fails. Returns a sentence about it.
fn undici() -> Result<String, Failure> {
    let authority = Authority::new();
    let identity = authority.issue(&["127.0.0.1"], Validity::Now);
    let port = echo::start_http2(Some(&identity), Timeouts::default());
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &authority.root_pem());
    let url = format!("wss://127.0.0.1:{port}/");
    match Client::Undici.try_all(&url, &ca, Compression::Offered, Version::Http2) {
        Err(failure) if failure.starts_with("failed opening: closed") => Ok("\
            npm undici 7, with `allowH2`, opens no WebSocket over HTTP/2: it requires `Sec-WebSocket-Accept` in the \
            response, which\nRFC 8441 section 5 leaves out. undici 8 does not require it, and needs a newer Node.js than \
            these trials have.\n"
            .into()),
        Err(failure) => Err(format!("undici fails in a new way: {failure}").into()),
        Ok(_) => Err("undici works now: add it to `Client::HTTP2`".into()),
    }
}
