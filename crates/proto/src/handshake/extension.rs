use super::syntax;

/// One element of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The extension's token.
    pub name: String,
    /// Its parameters, in order.
    pub params: Vec<Param>,
}

/// A parameter of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The parameter's token.
    pub name: String,
    /// Its value, unquoted; always a token (RFC6455-9.1-2).
    pub value: Option<String>,
}

/// The header does not match its grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Extension {
    /// Reads the values of all lines of the header (RFC6455-4.2.2-11, RFC6455-9.1-3; in a response too,
    /// RFC6455-11.3.2-1). No line is empty of extensions (RFC6455-4.2.2-8).
    pub(super) fn parse_all<'a>(
        values: impl IntoIterator<Item = &'a http::HeaderValue>,
    ) -> Result<Vec<Self>, Malformed> {
        let mut extensions = Vec::new();
        for value in values {
            let mut rest = Scanner(value.to_str().map_err(|_| Malformed)?);
            loop {
                extensions.push(rest.extension()?);
                if !rest.skip(',') {
                    break;
                }
            }
            if !rest.0.is_empty() {
                return Err(Malformed);
            }
        }
        Ok(extensions)
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

/// What is left of a header's value.
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

    /// Takes white space, the separator and white space, if the separator comes next.
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

    /// A token, or a quoted string that unescapes to one (RFC6455-4.3-1).
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
        ] {
            assert_eq!(parse(value).as_deref(), Ok(expected), "{value}");
        }
    }

    /// RFC6455-9.1-1, RFC6455-9.1-2, RFC6455-4.3-1.
    #[test]
    fn what_the_grammar_does_not_allow() {
        for value in [
            "",
            ",",
            "a,",
            ",a",
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
            // Fault H6: the comma within the quotes begins no second offer.
            "x; y=\",permessage-deflate,\"",
        ] {
            assert_eq!(parse(value), Err(Malformed), "{value}");
        }
        assert_eq!(parse("a\u{fc}"), Err(Malformed));
    }

    /// Faults H3 and H4: each character is looked at a bounded number of times.
    #[test]
    fn hostile_values_end() {
        for value in ["a; b=\"".to_owned() + &"\\c".repeat(1 << 15), ", \t".repeat(1 << 14)] {
            assert_eq!(parse(&value), Err(Malformed));
        }
    }
}
