use std::thread;

use fullduplex_lab::clients::{Client, Version};

use crate::{Failure, our_client, our_server};

pub(crate) const TITLE: &str = "## WebSockets over HTTP/2";

/// Tries our server and our client over HTTP/2 (RFC 8441), and returns the section of the document.
pub(crate) fn try_all() -> Result<String, Failure> {
    // Both directions run concurrently, because the trials mostly wait.
    let (server, client) = thread::scope(|scope| {
        let server = scope.spawn(|| {
            our_server::try_with(&Client::HTTP2, Version::Http2).map_err(|error| error.to_string())
        });
        let client = our_client::try_all(Version::Http2);
        (server.join().unwrap_or_else(|_| Err("the trials of our server panicked".into())), client)
    });
    let (server, client) = (server?, client?);
    let fall_back = our_client::fall_back()?;
    Ok(format!("{TITLE}\n\n{server}\n{client}\n{fall_back}"))
}
