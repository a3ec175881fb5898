//! The common part of the clients.

use std::error::Error;
use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::content::Content;

/// Why a client failed.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The failure of a client whose server closed the connection.
pub const CLOSED: &str = "the connection was closed";

/// One connection of a client.
pub trait Connection: Sized + Send + 'static {
    /// The type of a prepared message.
    type Message: Send + Sync + 'static;

    /// Makes a text message.
    fn text(content: String) -> Self::Message;

    /// Makes a binary message.
    fn binary(content: Vec<u8>) -> Self::Message;

    /// Connects.
    fn connect(address: SocketAddr) -> impl Future<Output = Result<Self, Failure>> + Send;
}

/// A connection that exchanges messages.
pub trait Client: Connection {
    /// Sends `burst` messages, then receives as many.
    fn exchange(
        &mut self,
        message: &Self::Message,
        burst: usize,
        echo: &Echo,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// A connection of a library that sends and receives message by message.
pub trait Socket: Connection {
    /// Sends a message. Leaves it in the library's buffer if the library has an API for that.
    fn feed(
        &mut self,
        message: &Self::Message,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        self.send(message)
    }

    /// Sends a message.
    fn send(&mut self, message: &Self::Message)
    -> impl Future<Output = Result<(), Failure>> + Send;

    /// Receives a message and checks it.
    fn receive(&mut self, echo: &Echo) -> impl Future<Output = Result<(), Failure>> + Send;
}

impl<S: Socket> Client for S {
    async fn exchange(
        &mut self,
        message: &S::Message,
        burst: usize,
        echo: &Echo,
    ) -> Result<(), Failure> {
        for _ in 1..burst {
            self.feed(message).await?;
        }
        self.send(message).await?;
        for _ in 0..burst {
            self.receive(echo).await?;
        }
        Ok(())
    }
}

/// The expected reply.
#[derive(Debug)]
pub struct Echo {
    content: Vec<u8>,
    is_compared: bool,
}

/// The task of a client, from its arguments.
#[derive(Debug, Clone, Copy)]
struct Task {
    address: SocketAddr,
    connections: usize,
    burst: usize,
    content: Content,
}

/// Connects and reports this on stdout. Then reads a number of milliseconds from each line on stdin,
/// exchanges messages for that time, and prints the number of messages.
///
/// # Errors
/// Returns the errors of the client. Fails if another message is received.
pub fn run<C: Client>() -> Result<(), Failure> {
    let task = Task::of_this()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut connections = runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..task.connections {
            connections.push(C::connect(task.address).await?);
        }
        Ok::<_, Failure>(connections)
    })?;
    say("ready")?;
    for line in io::stdin().lines() {
        let end = Instant::now() + Duration::from_millis(line?.parse()?);
        let count;
        (connections, count) = runtime.block_on(talk(connections, task, end))?;
        say(count)?;
    }
    Ok(())
}

/// Connects by TCP, for libraries that take any stream.
///
/// # Errors
/// Fails if there is no server.
pub async fn stream(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Echo {
    /// Checks a received message.
    ///
    /// # Errors
    /// Fails if it is another message.
    pub fn check(&self, content: &[u8]) -> Result<(), Failure> {
        let is_it =
            content.len() == self.content.len() && (!self.is_compared || content == self.content);
        if is_it { Ok(()) } else { Err("the reply is not the message".into()) }
    }

    /// Returns the length of a message.
    pub fn content_len(&self) -> usize {
        self.content.len()
    }
}

impl Task {
    fn of_this() -> Result<Self, Failure> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [address, connections, burst, content] = &arguments[..] else {
            return Err(
                "give an address, the number of connections, the number of messages, and a content"
                    .into(),
            );
        };
        Ok(Self {
            address: address.parse()?,
            connections: connections.parse()?,
            burst: burst.parse()?,
            content: content.parse()?,
        })
    }
}

async fn talk<C: Client>(
    connections: Vec<C>,
    task: Task,
    end: Instant,
) -> Result<(Vec<C>, u64), Failure> {
    let content = task.content.make(0);
    let message = Arc::new(match task.content.is_text() {
        true => C::text(String::from_utf8(content)?),
        false => C::binary(content),
    });
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::spawn(talk_on(connection, message.clone(), task, end)))
        .collect();
    let (mut connections, mut sum) = (Vec::new(), 0);
    for task in tasks {
        let (connection, count) = task.await??;
        connections.push(connection);
        sum += count;
    }
    Ok((connections, sum))
}

/// Compares the first reply, and checks the length of the later ones.
async fn talk_on<C: Client>(
    mut connection: C,
    message: Arc<C::Message>,
    task: Task,
    end: Instant,
) -> Result<(C, u64), Failure> {
    let mut echo = Echo { content: task.content.make(0), is_compared: true };
    let mut count = 0;
    loop {
        connection.exchange(&message, task.burst, &echo).await?;
        count += task.burst as u64;
        echo.is_compared = false;
        if Instant::now() >= end {
            return Ok((connection, count));
        }
    }
}

fn say(what: impl std::fmt::Display) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{what}")?;
    stdout.flush()
}
