//! `fdx connect` in tmux: presses keys and reads the screen.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fullduplex_lab::folder::Folder;
use fullduplex_lab::script::{FIN, Peer, TEXT, close_frame, frame, script};

use crate::support::Listening;

/// A terminal of 80 by 24 characters, in a separate tmux server.
struct Terminal {
    name: String,
}

impl Terminal {
    fn open(name: &str, folder: &Folder, arguments: &str) -> Self {
        Self::open_as("", name, folder, arguments)
    }

    /// Opens a terminal. Sets `TERM` to `term`, unless `term` is empty.
    fn open_as(term: &str, name: &str, folder: &Folder, arguments: &str) -> Self {
        // The number makes the name unique: a tmux server that the test used before may not have exited yet.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let terminal = Self { name: format!("fdx-{name}-{}-{number}", std::process::id()) };
        let fdx = env!("CARGO_BIN_EXE_fdx");
        let term = if term.is_empty() { String::new() } else { format!("TERM={term} ") };
        let command =
            format!("{term}'{fdx}' connect {arguments}; echo \"exit code $?\"; exec sleep 60");
        let mut tmux = terminal.tmux(&["-f", "/dev/null", "new-session", "-d"]);
        tmux.args(["-x", "80", "-y", "24", &command]);
        tmux.env("XDG_STATE_HOME", folder.path()).env("PS1", "");
        assert!(tmux.status().expect("tmux must be installed").success());
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.args(["-L", &self.name]).args(arguments);
        tmux
    }

    /// Types text.
    fn write(&self, text: &str) {
        assert!(self.tmux(&["send-keys", "-l", text]).status().unwrap().success());
    }

    /// Presses keys, given by name.
    fn press(&self, keys: &[&str]) {
        assert!(self.tmux(&[&["send-keys"], keys].concat()).status().unwrap().success());
    }

    fn screen(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Waits until the screen has this line. Returns all lines.
    fn until(&self, line: &str) -> Vec<String> {
        self.until_all(&[line])
    }

    fn until_all(&self, expected: &[&str]) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let screen = self.screen();
            let lines: Vec<String> =
                screen.lines().map(|line| line.trim_end().to_owned()).collect();
            if expected.iter().all(|expected| lines.iter().any(|line| line == expected)) {
                return lines;
            }
            assert!(Instant::now() < deadline, "no {expected:?} on the screen:\n{screen}");
            std::thread::sleep(Duration::from_millis(20)); // until the next look
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]).status().ok();
    }
}

#[test]
#[ignore = "needs tmux"]
fn lines_are_edited_and_commands_are_obeyed() {
    let folder = Folder::new();
    let server = Listening::start(&[]);
    let terminal = Terminal::open("edit", &folder, &server.url);
    terminal.until(&format!("open: {}, permessage-deflate", server.url));
    terminal.write("ello");
    terminal.press(&["C-a"]);
    terminal.write("h");
    terminal.press(&["Enter"]);
    terminal.until_all(&["> hello", "< hello"]);
    terminal.write("/hex 00 ff");
    terminal.press(&["Enter"]);
    terminal.until("< 00ff");
    terminal.write("//slash");
    terminal.press(&["Enter"]);
    terminal.until("< /slash");
    terminal.write("/nonsense");
    terminal.press(&["Enter"]);
    terminal
        .until("unknown command /nonsense: /help lists the commands, //nonsense sends the text");
    terminal.write("/ping");
    terminal.press(&["Enter"]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !terminal.screen().contains("pong after ") {
        assert!(Instant::now() < deadline, "no pong:\n{}", terminal.screen());
        std::thread::sleep(Duration::from_millis(20)); // until the next look
    }
    terminal.write("/close 4000 bye");
    terminal.press(&["Enter"]);
    let lines = terminal.until_all(&["closed with code 4000 bye", "exit code 0"]);
    assert!(!lines.iter().any(|line| line.contains("/nonsense is")), "it was not sent");
}

#[test]
#[ignore = "needs tmux"]
fn typed_lines_are_kept_in_the_history() {
    let folder = Folder::new();
    let server = Listening::start(&[]);
    let first = Terminal::open("first", &folder, &server.url);
    first.until(&format!("open: {}, permessage-deflate", server.url));
    first.write("remember me");
    first.press(&["Enter"]);
    first.until("< remember me");
    first.press(&["C-d"]);
    first.until("exit code 0");
    let second = Terminal::open("second", &folder, &server.url);
    second.until(&format!("open: {}, permessage-deflate", server.url));
    second.press(&["Up", "Enter"]);
    second.until("< remember me");
}

/// A message that arrives while a line is being typed is shown above the line.
#[tokio::test]
#[ignore = "needs tmux"]
async fn a_message_does_not_disturb_the_typed_line() {
    let (typing, has_typed) = tokio::sync::oneshot::channel::<()>();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        has_typed.await.unwrap();
        peer.send(frame(FIN | TEXT, "news")).await;
        assert_eq!(peer.read_frame().await.unwrap().payload, b"half and half");
    })
    .await;
    let url = server.url();
    let terminal = tokio::task::spawn_blocking(move || {
        let folder = Folder::new();
        let terminal = Terminal::open("line", &folder, &format!("--no-compression {url}"));
        terminal.until(&format!("open: {url}"));
        terminal.write("half ");
        terminal.until("> half");
        typing.send(()).unwrap();
        terminal.until_all(&["< news", "> half"]);
        terminal.write("and half");
        terminal.press(&["Enter"]);
        terminal
    });
    let terminal = terminal.await.unwrap();
    server.finish().await;
    drop(terminal);
}

/// FK-01: several lines may arrive in one read, for example from `expect`, or from a paste without
/// bracketed paste mode.
#[test]
#[ignore = "needs tmux"]
fn all_lines_of_one_read_are_sent() {
    let folder = Folder::new();
    let server = Listening::start(&[]);
    let terminal = Terminal::open("burst", &folder, &server.url);
    terminal.until(&format!("open: {}, permessage-deflate", server.url));
    terminal.write("one\rtwo\rthree\r");
    terminal.until_all(&["< one", "< two", "< three"]);
    terminal.write("four\r\x04");
    terminal.until_all(&["< four", "exit code 0"]);
}

/// FK-01: lines and the end of input are typed before the connection is open.
#[tokio::test]
#[ignore = "needs tmux"]
async fn lines_typed_before_the_connection_opens_are_sent() {
    let (typed, has_typed) = tokio::sync::oneshot::channel::<()>();
    let server = script(async move |mut peer: Peer| {
        has_typed.await.unwrap();
        peer.shake_hands().await;
        for line in ["early", "bird"] {
            assert_eq!(peer.read_payload(FIN | TEXT).await, line.as_bytes());
        }
        peer.read_close().await;
        peer.send(close_frame(1000, "")).await;
        peer.fin().await;
    })
    .await;
    let url = server.url();
    let terminal = tokio::task::spawn_blocking(move || {
        let folder = Folder::new();
        let terminal = Terminal::open("ahead", &folder, &format!("--no-compression {url}"));
        terminal.until("connecting …");
        terminal.write("early\rbird\r\x04");
        terminal.until_all(&["> early", "> bird"]);
        typed.send(()).unwrap();
        terminal.until("exit code 0");
    });
    terminal.await.unwrap();
    server.finish().await;
}

/// FK-03: text from a server is shown as text, and never looks like a line of fdx.
#[tokio::test]
#[ignore = "needs tmux"]
async fn hostile_text_is_shown_as_text() {
    for input in ["", "</dev/null "] {
        let server = script(async move |mut peer: Peer| {
            peer.shake_hands().await;
            let message = "a\x1b[2Jb\nfdx: forged\u{202e}\u{9b}31m";
            peer.send(frame(FIN | TEXT, message)).await;
            peer.send(close_frame(4000, "\x1b[31mred")).await;
            peer.read_close().await;
            peer.fin().await;
        })
        .await;
        let arguments = format!("--no-compression {input}--wait forever {}", server.url());
        let shown = tokio::task::spawn_blocking(move || {
            let folder = Folder::new();
            let terminal = Terminal::open("hostile", &folder, &arguments);
            let message = ["< a\\u{1b}[2Jb", "| fdx: forged\\u{202e}\\u{9b}31m", "exit code 0"];
            terminal.until_all(&message)
        });
        let lines = shown.await.unwrap();
        assert!(
            lines.iter().any(|line| line.contains("4000") && line.contains("\\u{1b}[31mred")),
            "{lines:?}"
        );
        server.finish().await;
    }
}

/// FK-09: lines are not edited in a terminal that cannot move its cursor.
#[test]
#[ignore = "needs tmux"]
fn a_dumb_terminal_has_plain_lines() {
    let server = Listening::start(&[]);
    for name in ["dumb", "emacs", "cons25"] {
        let folder = Folder::new();
        let terminal = Terminal::open_as(name, &format!("plain-{name}"), &folder, &server.url);
        terminal.until(&format!("open: {}, permessage-deflate", server.url));
        terminal.write("hello\rworld\r");
        terminal.until_all(&["< hello", "< world"]);
        terminal.press(&["C-d"]);
        terminal.until("exit code 0");
    }
}

/// FK-14
#[test]
#[ignore = "needs tmux"]
fn first_messages_are_sent_before_lines_are_typed() {
    let folder = Folder::new();
    let server = Listening::start(&[]);
    let terminal =
        Terminal::open("first", &folder, &format!("-x login -x 'sub news' {}", server.url));
    terminal.until_all(&["< login", "< sub news"]);
    terminal.write("typed\r");
    terminal.until("< typed");
}

/// FK-10: Ctrl-C is an interrupt, even before the connection is open.
#[tokio::test]
#[ignore = "needs tmux"]
async fn ctrl_c_closes_with_1001() {
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        let code = peer.read_close().await;
        peer.send(close_frame(1001, "")).await;
        peer.fin().await;
        code
    })
    .await;
    let url = server.url();
    let terminal = tokio::task::spawn_blocking(move || {
        let folder = Folder::new();
        let terminal = Terminal::open("interrupt", &folder, &format!("--no-compression {url}"));
        terminal.until(&format!("open: {url}"));
        terminal.press(&["C-c"]);
        terminal.until("exit code 0");
    });
    terminal.await.unwrap();
    assert_eq!(server.finish().await, Some(1001));
}
