/// `Send`, on targets with threads. In a browser, every type has it.
///
/// Handlers run on other threads than the one that sets them, except in a browser, which calls them on the
/// thread that made the socket. There they may own objects of JavaScript, which cannot be sent.
#[cfg(not(target_family = "wasm"))]
pub trait MaybeSend: Send {}
#[cfg(not(target_family = "wasm"))]
impl<T: Send + ?Sized> MaybeSend for T {}

/// `Send`, on targets with threads. In a browser, every type has it.
///
/// Handlers run on other threads than the one that sets them, except in a browser, which calls them on the
/// thread that made the socket. There they may own objects of JavaScript, which cannot be sent.
#[cfg(target_family = "wasm")]
pub trait MaybeSend {}
#[cfg(target_family = "wasm")]
impl<T: ?Sized> MaybeSend for T {}
