use fullduplex::Message;

use super::args::Input;
use super::form::{self, from_base64, from_hex};

/// What a line that was typed asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Send(Message),
    /// Send what is in this file, as binary.
    SendFile(String),
    Ping,
    Close(Option<u16>, String),
    Reconnect,
    Help,
    Nothing,
}

/// What can be typed besides messages.
pub(super) const HELP: &str = "\
  /ping                 ask the server for a Pong, and tell how long it took
  /hex 00 ff            send bytes
  /base64 AP8=          send bytes
  /file PATH            send what is in a file, as a binary message
  /close [CODE [WHY]]   close the connection
  /reconnect            close it, and open another one
  //text                send a text that begins with a slash
  Ctrl-R searches what was typed before, Ctrl-D ends";

/// Reads a line; one that is no command is a message in the form of `input`.
pub(super) fn parse(line: &str, input: Input) -> Result<Command, String> {
    let Some(rest) = line.strip_prefix('/') else {
        let message = (!line.is_empty()).then(|| form::message(line, input)).transpose()?;
        return Ok(message.map_or(Command::Nothing, Command::Send));
    };
    if rest.starts_with('/') {
        return Ok(Command::Send(rest.into()));
    }
    let (name, argument) = rest.split_once(' ').unwrap_or((rest, ""));
    let argument = argument.trim();
    match name {
        "ping" => Ok(Command::Ping),
        "hex" => Ok(Command::Send(from_hex(argument)?.into())),
        "base64" => Ok(Command::Send(from_base64(argument)?.into())),
        "file" if argument.is_empty() => Err("/file wants the path of a file".into()),
        "file" => Ok(Command::SendFile(argument.to_owned())),
        "close" => close(argument),
        "reconnect" => Ok(Command::Reconnect),
        "help" => Ok(Command::Help),
        _ => Err(format!("there is no /{name}; /help tells what there is, //{name} sends it")),
    }
}

fn close(argument: &str) -> Result<Command, String> {
    let (code, reason) = argument.split_once(' ').unwrap_or((argument, ""));
    if code.is_empty() {
        return Ok(Command::Close(None, String::new()));
    }
    let code =
        code.parse().map_err(|_| format!("`{code}` is no close code, such as 1000 or 4000"))?;
    Ok(Command::Close(Some(code), reason.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_what_they_mean() {
        assert_eq!(parse("hello /ping", Input::Text), Ok(Command::Send("hello /ping".into())));
        assert_eq!(parse("//ping", Input::Text), Ok(Command::Send("/ping".into())));
        assert_eq!(parse("", Input::Text), Ok(Command::Nothing));
        assert_eq!(parse("/ping", Input::Text), Ok(Command::Ping));
        assert_eq!(parse("/hex 00fF", Input::Text), Ok(Command::Send(vec![0, 255].into())));
        assert_eq!(parse("/base64 AP8=", Input::Text), Ok(Command::Send(vec![0, 255].into())));
        assert_eq!(parse("/file a b", Input::Text), Ok(Command::SendFile("a b".into())));
        assert_eq!(parse("/close", Input::Text), Ok(Command::Close(None, String::new())));
        assert_eq!(
            parse("/close 4000 bye now", Input::Text),
            Ok(Command::Close(Some(4000), "bye now".into()))
        );
        assert_eq!(parse("00 ff", Input::Hex), Ok(Command::Send(vec![0, 255].into())));
        for bad in ["/", "/x", "/ping2", "/hex 0", "/file", "/close bye", "/close 70000"] {
            assert!(parse(bad, Input::Text).is_err(), "{bad}");
        }
    }
}
