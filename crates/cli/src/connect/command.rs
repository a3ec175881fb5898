use fullduplex::Message;

use super::args::Input;
use super::form::{self, from_base64, from_hex};

/// The meaning of a typed line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Send(Message),
    /// Send the content of this file as a binary message.
    SendFile(String),
    Ping,
    Close(Option<u16>, String),
    Reconnect,
    Help,
    Nothing,
}

/// The commands that can be typed.
pub(super) const HELP: &str = "\
  /ping                   send a Ping, and show how long the Pong took
  /hex 00 ff              send a binary message, written in hex
  /base64 AP8=            send a binary message, written in base64
  /file PATH              send the content of a file as a binary message
  /close [CODE [REASON]]  close the connection
  /reconnect              close the connection and open another one
  //text                  send text that begins with a slash
  Ctrl-R searches the history, Ctrl-D closes, Ctrl-C interrupts";

/// Parses a line. A line that is not a command is a message in the form of `input`.
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
        "file" if argument.is_empty() => Err("give /file the path of a file".into()),
        "file" => Ok(Command::SendFile(argument.to_owned())),
        "close" => close(argument),
        "reconnect" => Ok(Command::Reconnect),
        "help" => Ok(Command::Help),
        _ => Err(format!(
            "unknown command /{name}: /help lists the commands, //{name} sends the text"
        )),
    }
}

fn close(argument: &str) -> Result<Command, String> {
    let (code, reason) = argument.split_once(' ').unwrap_or((argument, ""));
    if code.is_empty() {
        return Ok(Command::Close(None, String::new()));
    }
    let code = code
        .parse()
        .map_err(|_| format!("`{code}` is not a close code: use 1000, or 3000 to 4999"))?;
    Ok(Command::Close(Some(code), reason.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_marks_a_command() {
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
