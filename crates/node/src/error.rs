use fullduplex::Error;

/// What a call throws: the JavaScript half makes a `DOMException` of it, whose name is the `code`.
pub(crate) fn exception(error: &Error) -> napi::Error<String> {
    napi::Error::new(error.name().to_owned(), error.to_string())
}

/// An option that cannot be used: a `TypeError`.
pub(crate) fn bad_option(reason: impl ToString) -> napi::Error<String> {
    napi::Error::new("TypeError".to_owned(), reason)
}
