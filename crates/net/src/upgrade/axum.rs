use axum_core::extract::{FromRef, FromRequestParts};
use axum_core::response::{IntoResponse, Response};
use fullduplex_proto::handshake::Rejection;
use http::request::Parts;

use crate::server::connections::Connections;
use crate::upgrade::WebSocketUpgrade;

/// The reason why an axum handler opens no WebSocket. The response also closes the HTTP connection.
///
/// Return it from a handler to refuse a client. Any other response of a handler with a [`WebSocketUpgrade`],
/// such as `StatusCode::UNAUTHORIZED`, leaves the HTTP connection open, so the client may send further
/// requests over it.
///
/// ```
/// use axum::response::Response;
/// use fullduplex_net::proto::handshake::Rejection;
/// use fullduplex_net::{UpgradeRejection, WebSocketUpgrade};
/// use http::{HeaderMap, StatusCode};
///
/// async fn open(headers: HeaderMap, upgrade: WebSocketUpgrade) -> Result<Response, UpgradeRejection> {
///     if !headers.contains_key("authorization") {
///         return Err(Rejection::new(StatusCode::UNAUTHORIZED, "log in first").into());
///     }
///     Ok(upgrade.on_upgrade(|mut socket| async move {
///         socket.send("welcome").await
///     }))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct UpgradeRejection(#[from] pub Rejection);

impl IntoResponse for UpgradeRejection {
    fn into_response(self) -> Response {
        self.0.to_response().into_response()
    }
}

/// Extracts an upgrade from a request, with the [`Connections`] of the router's state.
///
/// ```
/// use axum::extract::State;
/// use axum::response::Response;
/// use axum::routing::{Router, any};
/// use fullduplex_net::{Connections, HandlerResult, ServerOptions, WebSocketUpgrade};
///
/// async fn echo(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(|mut socket| async move {
///         while let Some(message) = socket.recv().await? {
///             socket.send(message).await?;
///         }
///         HandlerResult::Ok(())
///     })
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let connections = Connections::new(ServerOptions::default());
/// let router = Router::new().route("/echo", any(echo)).with_state(connections.clone());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("ws://{}/echo", listener.local_addr()?);
/// # tokio::spawn(async move {
/// axum::serve(listener, router).await
/// # });
/// # let url = fullduplex_net::proto::Url::parse(&url)?;
/// # let (mut socket, _) = fullduplex_net::connect(&url, &Default::default()).await?;
/// # socket.send("hello").await?;
/// # assert_eq!(socket.recv().await?, Some("hello".into()));
/// # assert_eq!(connections.counts().open, 1);
/// # Ok(())
/// # }
/// ```
impl<S> FromRequestParts<S> for WebSocketUpgrade
where
    Connections: FromRef<S>,
    S: Sync,
{
    type Rejection = UpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, UpgradeRejection> {
        // The copy shares hyper's `OnUpgrade`.
        let mut request = http::Request::from_parts(parts.clone(), ());
        Ok(Self::new(&mut request, &Connections::from_ref(state))?)
    }
}
