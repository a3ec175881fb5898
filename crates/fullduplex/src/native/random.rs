/// Returns a random number.
pub(crate) fn random() -> u32 {
    getrandom::u32().expect("the system must provide random numbers")
}
