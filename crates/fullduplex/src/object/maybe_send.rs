/// Means `Send` on targets with threads. In a browser, every type implements it.
///
/// On targets with threads, the thread that calls a handler may differ from the thread that sets it. A
/// browser calls a handler on the thread that created the socket. The handler may therefore own objects of
/// JavaScript, which cannot be sent to other threads.
///
/// ```compile_fail,E0277
/// fn set_handler<H: fullduplex::MaybeSend>(_: H) {}
///
/// let shared = std::rc::Rc::new(());
/// set_handler(move || drop(shared)); // compiles in a browser only
/// ```
#[cfg(not(target_family = "wasm"))]
pub trait MaybeSend: Send {}
#[cfg(not(target_family = "wasm"))]
impl<T: Send + ?Sized> MaybeSend for T {}

/// Means `Send` on targets with threads. In a browser, every type implements it.
///
/// On targets with threads, the thread that calls a handler may differ from the thread that sets it. A
/// browser calls a handler on the thread that created the socket. The handler may therefore own objects of
/// JavaScript, which cannot be sent to other threads.
#[cfg(target_family = "wasm")]
pub trait MaybeSend {}
#[cfg(target_family = "wasm")]
impl<T: ?Sized> MaybeSend for T {}
