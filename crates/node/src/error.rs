use fullduplex::Error;

/// Converts an error into the exception to throw. The JavaScript half turns it into a
/// `DOMException` whose name is the `code`.
pub(crate) fn exception(error: &Error) -> napi::Error<String> {
    napi::Error::new(error.name().to_owned(), error.to_string())
}

/// Returns the `TypeError` for an option that cannot be used.
pub(crate) fn bad_option(reason: impl ToString) -> napi::Error<String> {
    napi::Error::new("TypeError".to_owned(), reason)
}
