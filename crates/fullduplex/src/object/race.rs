use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Waits until one of two futures is ready, and drops the other. If both are, `first` wins.
pub(crate) async fn race<T>(first: impl Future<Output = T>, second: impl Future<Output = T>) -> T {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| match first.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(output),
        Poll::Pending => second.as_mut().poll(cx),
    })
    .await
}
