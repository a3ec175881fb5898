//! An HTTP/2 client of the `h2` crate, whose WebSocket frames a test writes itself.

use bytes::Bytes;
use fullduplex_lab::script::guarded;
use fullduplex_lab::served::Served;
use fullduplex_net::{HandlerResult, Http2Options, Request, Server, ServerOptions};
use h2::client::{Connection, SendRequest};
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Method, Response, Version};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Starts a server that also speaks HTTP/2.
pub(crate) async fn serve<F>(
    options: ServerOptions,
    http2: Http2Options,
    handler: impl Fn(Request) -> F + Send + Sync + 'static,
) -> Served
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let server = Server::bind("127.0.0.1:0", options).await.unwrap().with_http2(http2);
    Served::from_server(server, handler)
}

/// One connection of a client.
pub(crate) struct Client {
    pub(crate) requests: SendRequest<Bytes>,
    pub(crate) task: JoinHandle<Result<(), h2::Error>>,
}

/// One stream, which a server may have accepted as a WebSocket.
pub(crate) struct Stream {
    pub(crate) response: Response<()>,
    pub(crate) send: SendStream<Bytes>,
    pub(crate) recv: RecvStream,
    unread: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(served: &Served) -> Self {
        Self::over(TcpStream::connect(served.address()).await.unwrap()).await
    }

    pub(crate) async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (requests, connection): (_, Connection<_>) =
            h2::client::handshake(stream).await.unwrap();
        let task = tokio::spawn(connection);
        let client = Self { requests, task };
        let enabled = async {
            while !client.requests.is_extended_connect_protocol_enabled() {
                tokio::task::yield_now().await;
            }
        };
        guarded("SETTINGS_ENABLE_CONNECT_PROTOCOL", enabled).await;
        client
    }

    /// Sends a request, and waits for its response.
    pub(crate) async fn request(&mut self, request: http::Request<()>, ends: bool) -> Stream {
        self.try_request(request, ends).await.unwrap()
    }

    pub(crate) async fn try_request(
        &mut self,
        request: http::Request<()>,
        ends: bool,
    ) -> Result<Stream, h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        let (response, send) = requests.send_request(request, ends)?;
        let response = guarded("a response", response).await?;
        let (head, recv) = response.into_parts();
        let response = Response::from_parts(head, ());
        Ok(Stream { response, send, recv, unread: Vec::new() })
    }

    /// Opens a WebSocket.
    pub(crate) async fn open(&mut self) -> Stream {
        let stream = self.request(opening(), false).await;
        assert_eq!(stream.response.status(), 200);
        stream
    }
}

impl Stream {
    pub(crate) fn send(&mut self, bytes: Vec<u8>) {
        self.send.send_data(bytes.into(), false).unwrap();
    }

    /// Reads `count` bytes.
    pub(crate) async fn read(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            let data = guarded("data", self.recv.data()).await.expect("more data").unwrap();
            self.recv.flow_control().release_capacity(data.len()).unwrap();
            self.unread.extend_from_slice(&data);
        }
        self.unread.drain(..count).collect()
    }

    /// Reads exactly these bytes.
    pub(crate) async fn expect(&mut self, bytes: Vec<u8>) {
        assert_eq!(self.read(bytes.len()).await, bytes);
    }

    /// Reads END_STREAM.
    pub(crate) async fn expect_end(&mut self) {
        assert_eq!(self.unread, b"");
        while let Some(data) = guarded("END_STREAM", self.recv.data()).await {
            assert_eq!(data.unwrap(), b""[..]);
        }
    }

    /// Reads the rest as text.
    pub(crate) async fn read_to_end(mut self) -> String {
        let mut bytes = self.unread;
        while let Some(data) = guarded("data", self.recv.data()).await {
            bytes.extend_from_slice(&data.unwrap());
        }
        String::from_utf8(bytes).unwrap()
    }
}

/// A valid opening request.
pub(crate) fn opening() -> http::Request<()> {
    http::Request::builder()
        .method(Method::CONNECT)
        .version(Version::HTTP_2)
        .uri("http://localhost/chat?a=b")
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap()
}

/// A request for a page.
pub(crate) fn get(path: &str) -> http::Request<()> {
    let uri = format!("http://localhost{path}");
    http::Request::builder().version(Version::HTTP_2).uri(uri).body(()).unwrap()
}
