//! Time, from the globals that pages, workers and Node.js have in common.

use std::ops::Sub;
use std::time::Duration;

use js_sys::{Function, Promise, Reflect, global};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// An instant of `performance.now()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        let performance = Reflect::get(&global(), &"performance".into()).unwrap_or_default();
        let millis = performance.unchecked_into::<web_sys::Performance>().now();
        Self(Duration::from_secs_f64(millis.max(0.0) / 1000.0))
    }

    pub(crate) fn duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    pub(crate) fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }

    pub(crate) fn checked_add(self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

/// Waits until an instant.
pub(crate) async fn sleep_until(until: Instant) {
    loop {
        let left = until.duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        sleep(left).await;
    }
}

/// Waits for `time`, or for the longest time that the host can wait.
pub(crate) async fn sleep(time: Duration) {
    let millis = (time.as_secs_f64() * 1000.0).ceil().min(i32::MAX.into());
    let mut id = JsValue::UNDEFINED;
    let promise = Promise::new(&mut |resolve, _| {
        id = call("setTimeout", &resolve, &millis.into());
    });
    let _timer = Timer(id);
    JsFuture::from(promise).await.ok(); // it is never rejected
}

/// A timer that is cleared when it is dropped. A timer that is not cleared keeps a process of Node.js alive.
struct Timer(JsValue);

impl Drop for Timer {
    fn drop(&mut self) {
        call("clearTimeout", &self.0, &JsValue::UNDEFINED);
    }
}

fn call(function: &str, first: &JsValue, second: &JsValue) -> JsValue {
    let function = Reflect::get(&global(), &function.into()).unwrap_or_default();
    function.unchecked_into::<Function>().call2(&global(), first, second).unwrap_or_default()
}
