/// Returns a random number. It is used only to distribute the attempts of many clients over time.
pub(crate) fn random() -> u32 {
    (js_sys::Math::random() * (f64::from(u32::MAX) + 1.0)) as u32
}
