use super::syntax;

/// One element of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The extension's token.
    pub name: String,
    /// The extension's parameters, in order.
    pub params: Vec<Param>,
}

/// A parameter of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The parameter's token.
    pub name: String,
    /// The parameter's value without quotes. It is always a token (RFC6455-9.1-2).
    pub value: Option<String>,
}

/// The header does not match the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Extension {
    /// Parses all lines of the header (RFC6455-4.2.2-11, RFC6455-9.1-3), in a response too
    /// (RFC6455-11.3.2-1). If the header is present, it must contain at least one extension
    /// (RFC6455-4.2.2-8).
    pub(super) fn parse_all<'a>(
        values: impl IntoIterator<Item = &'a http::HeaderValue>,
    ) -> Result<Vec<Self>, Malformed> {
        let mut extensions = Vec::new();
        let mut is_present = false;
        for value in values {
            is_present = true;
            let mut rest = Scanner(value.to_str().map_err(|_| Malformed)?);
            loop {
                // RFC 9110 section 5.6.1.2: empty elements are ignored (FS-11).
                while rest.skip(',') {}
                if rest.0.is_empty() {
                    break;
                }
                extensions.push(rest.extension()?);
                if !rest.skip(',') && !rest.0.is_empty() {
                    return Err(Malformed);
                }
            }
        }
        if is_present && extensions.is_empty() { Err(Malformed) } else { Ok(extensions) }
    }
}

impl std::fmt::Display for Extension {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        for Param { name, value } in &self.params {
            write!(f, "; {name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// The rest of a header's value.
struct Scanner<'a>(&'a str);

impl Scanner<'_> {
    fn extension(&mut self) -> Result<Extension, Malformed> {
        let name = self.token()?;
        let mut params = Vec::new();
        while self.skip(';') {
            let name = self.token()?;
            let value = if self.skip('=') { Some(self.value()?) } else { None };
            params.push(Param { name, value });
        }
        Ok(Extension { name, params })
    }

    /// Removes white space. If the separator comes next, removes it and the white space after it, and returns
    /// true.
    fn skip(&mut self, separator: char) -> bool {
        self.0 = syntax::trim(self.0);
        let Some(rest) = self.0.strip_prefix(separator) else {
            return false;
        };
        self.0 = syntax::trim(rest);
        true
    }

    fn token(&mut self) -> Result<String, Malformed> {
        self.0 = syntax::trim(self.0);
        let end = self.0.bytes().position(|byte| !syntax::is_token_byte(byte));
        let (token, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        if token.is_empty() { Err(Malformed) } else { Ok(token.to_owned()) }
    }

    /// Takes a token, or a quoted string that unescapes to one (RFC6455-4.3-1).
    fn value(&mut self) -> Result<String, Malformed> {
        let Some(quoted) = self.0.strip_prefix('"') else {
            return self.token();
        };
        let mut value = String::new();
        let mut characters = quoted.chars();
        loop {
            match characters.next() {
                Some('"') => break,
                Some('\\') => value.push(characters.next().ok_or(Malformed)?),
                Some(character) => value.push(character),
                None => return Err(Malformed),
            }
        }
        self.0 = characters.as_str();
        if syntax::is_token(&value) { Ok(value) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn parse(value: &str) -> Result<String, Malformed> {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        let extensions = Extension::parse_all([&value])?;
        let show = |extension: &Extension| {
            let params = extension.params.iter().map(|param| match &param.value {
                Some(value) => format!(";{}={value}", param.name),
                None => format!(";{}", param.name),
            });
            extension.name.clone() + &params.collect::<String>()
        };
        Ok(extensions.iter().map(show).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn lists() {
        for (value, expected) in [
            ("foo", "foo"),
            ("foo, bar; baz=2", "foo,bar;baz=2"),
            ("a ; b = \"c\" ;d\t,e", "a;b=c;d,e"),
            ("a; b=\"\\c\"", "a;b=c"),
            // FS-11
            ("a,", "a"),
            (",a", "a"),
            (" , a,, ,b ,", "a,b"),
        ] {
            assert_eq!(parse(value).as_deref(), Ok(expected), "{value}");
        }
    }

    /// RFC6455-9.1-1, RFC6455-9.1-2, RFC6455-4.3-1.
    #[test]
    fn headers_that_violate_the_grammar_are_rejected() {
        for value in [
            "",
            ",",
            ", ,",
            "a,b c",
            "a;",
            "a;=b",
            "a; b=",
            "a b",
            "a; b=\"c d\"",
            "a; b=\"c",
            "a; b=\"\"",
            "a; b=\"c\"d",
            "a=b",
            "\"a\"",
            "a; b=\"\\",
            // Fault H6: the comma within the quotes does not begin a second offer.
            "x; y=\",permessage-deflate,\"",
        ] {
            assert_eq!(parse(value), Err(Malformed), "{value}");
        }
        assert_eq!(parse("a\u{fc}"), Err(Malformed));
    }

    /// FS-11: all lines of a header form one list.
    #[test]
    fn a_line_may_be_empty_beside_another() {
        let [line, empty] = ["a", ""].map(HeaderValue::from_static);
        assert_eq!(Extension::parse_all([&line, &empty]).unwrap().len(), 1);
        assert_eq!(Extension::parse_all([&empty, &empty]), Err(Malformed));
    }

    /// Faults H3 and H4: each character is read a bounded number of times.
    #[test]
    fn hostile_values_end() {
        for value in ["a; b=\"".to_owned() + &"\\c".repeat(1 << 15), ", \t".repeat(1 << 14)] {
            assert_eq!(parse(&value), Err(Malformed));
        }
    }
}
