//! The server under load. `/room` is a chat room, every other path an echo.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use fullduplex_lab::echo;
use fullduplex_net::{
    Group, HandlerResult, OverflowPolicy, Request, Server, ServerOptions, Socket,
};

/// The path of the room.
pub(crate) const ROOM: &str = "/room";
/// The message to a member that has joined.
pub(crate) const WELCOME: &str = "welcome";

/// The deadline for the opening handshake.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// The limit for a message of a client.
pub(crate) const MESSAGE_BYTES: usize = 4 << 20;
/// The limit for all unfinished messages together.
const UNFINISHED_BYTES: usize = 128 << 20;

/// Prints the address of the server and runs it until stdin ends.
pub(crate) fn serve() -> io::Result<()> {
    std::thread::spawn(|| {
        io::copy(&mut io::stdin(), &mut io::sink()).ok();
        std::process::exit(0)
    });
    let mut options = ServerOptions::default();
    options.accept.handshake_timeout = HANDSHAKE_TIMEOUT;
    options.accept.limits.message_bytes = MESSAGE_BYTES;
    options.memory_bytes = UNFINISHED_BYTES;
    let room = Group::new();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0), options).await?;
        println!("{}", server.local_addr()?);
        server.serve(move |request| handle(request, room.clone())).await;
        Ok(())
    })
}

async fn handle(request: Request, room: Group) -> HandlerResult {
    let is_room = request.uri().path() == ROOM;
    let socket = request.accept().await?;
    if is_room { stay(socket, room).await } else { echo::messages(socket).await }
}

async fn stay(mut socket: Socket, room: Group) -> HandlerResult {
    let _member = room.join(socket.sender());
    socket.send(WELCOME).await?;
    while let Some(message) = socket.recv().await? {
        room.send(message, OverflowPolicy::Close);
    }
    Ok(())
}
