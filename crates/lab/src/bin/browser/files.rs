//! A web server for the pages, which receives their reports.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::{fs, thread};

/// A server that runs until the process ends.
pub(crate) struct Files {
    pub(crate) port: u16,
    /// The bodies that the pages post to `/report`.
    pub(crate) reports: Receiver<String>,
}

impl Files {
    /// Serves the files of `folder`, and those of `browser/` in this crate.
    pub(crate) fn serve(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let folders = [folder.to_owned(), concat!(env!("CARGO_MANIFEST_DIR"), "/browser").into()];
        let (sender, reports) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folders, sender) = (folders.clone(), sender.clone());
                thread::spawn(move || answer(&stream, &folders, &sender));
            }
        });
        Self { port, reports }
    }
}

/// Answers one request, and ends the connection.
fn answer(mut stream: &TcpStream, folders: &[PathBuf], reports: &Sender<String>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    if request.starts_with("POST /report ") {
        let mut body = String::new();
        reader.take(length).read_to_string(&mut body)?;
        reports.send(body).ok();
        return stream.write_all(b"HTTP/1.1 204 Done\r\nConnection: close\r\n\r\n");
    }
    let target = request.split(' ').nth(1).unwrap_or_default();
    let name = target.split('?').next().unwrap_or_default().trim_start_matches('/');
    let content = folders.iter().find_map(|folder| fs::read(folder.join(name)).ok());
    let Some(content) = content.filter(|_| !name.contains("..")) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
    };
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    )?;
    stream.write_all(&content)
}
