//! `fdx tap --ndjson`.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::process::Child;

use serde_json::Value;

use crate::support::{events, fdx};

/// `fdx tap`. The process ends when this value is dropped.
pub(crate) struct Tap {
    pub(crate) process: Child,
    /// The host and the port at which it listens.
    pub(crate) address: String,
    pub(crate) events: Box<dyn Iterator<Item = Value> + Send>,
}

impl Tap {
    pub(crate) fn start(url: &str, arguments: &[&str]) -> Self {
        let mut command = fdx(&["tap", "0", url, "--ndjson"]);
        let mut process = command.args(arguments).spawn().unwrap();
        let mut events = events(process.stdout.take().unwrap());
        let listening = events.next().unwrap();
        let address = listening["url"].as_str().unwrap();
        let address = address.trim_start_matches("ws://").trim_end_matches('/').to_owned();
        Self { process, address, events: Box::new(events) }
    }

    /// Returns the events up to the end of a connection.
    pub(crate) fn until_over(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while events.last().is_none_or(|event: &Value| event["event"] != "over") {
            events.push(self.events.next().unwrap());
        }
        events
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
