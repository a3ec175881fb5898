//! Connects to a server, greets it, shows the answer, and closes.

use std::error::Error;

use fullduplex_net::connect;

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_default();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (mut socket, _response) = connect(&*url, &Default::default()).await?;
        socket.send("hello").await?;
        if let Some(message) = socket.recv().await? {
            println!("{message:?}");
        }
        socket.close(None).await?;
        Ok(())
    })
}
