//! A page in Chromium, controlled through its DevTools protocol over a WebSocket.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use fullduplex_net::proto::Message;
use fullduplex_net::{ConnectOptions, Socket, connect};
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::script::guarded;

/// A page and its browser. The browser ends when this value is dropped.
#[derive(Debug)]
pub struct Page {
    browser: Child,
    tools: Socket,
    session: Value,
    commands: u64,
    /// The exceptions and log entries of the page.
    pub complaints: Vec<Value>,
    /// The browser's files.
    _folder: Folder,
}

impl Page {
    /// Opens a page in a new browser, and waits until it has loaded.
    ///
    /// # Panics
    /// If the browser fails.
    pub async fn open(url: &str) -> Self {
        Self::open_with(url, &[]).await
    }

    /// Opens a page like [`Page::open`], with additional arguments for the browser.
    ///
    /// # Panics
    /// If the browser fails.
    pub async fn open_with(url: &str, arguments: &[&str]) -> Self {
        let folder = Folder::new();
        let mut browser = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args(["--remote-debugging-port=0", "about:blank"])
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .args(arguments)
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this test needs Chromium, as `chromium`");
        let stderr = BufReader::new(browser.stderr.take().expect("the browser answers"));
        let mut lines = stderr.lines().map(|line| line.expect("the browser writes text"));
        let tools =
            lines.find_map(|line| line.strip_prefix("DevTools listening on ").map(Into::into));
        let tools: String = tools.expect("Chromium starts");
        // A full pipe would stop the browser.
        std::thread::spawn(move || lines.for_each(drop));
        let (tools, _) =
            connect(&tools, &ConnectOptions::default()).await.expect("the browser answers");
        let (session, complaints) = (Value::Null, Vec::new());
        let mut page = Self { browser, tools, session, commands: 0, complaints, _folder: folder };
        let target = page.command("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        page.session = page.command("Target.attachToTarget", attach).await["sessionId"].take();
        for domain in ["Runtime", "Log", "Page"] {
            page.command(&format!("{domain}.enable"), json!({})).await;
        }
        page.command("Page.navigate", json!({ "url": url })).await;
        page.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")
            .await;
        page
    }

    /// Runs an expression in the page, and returns its value.
    ///
    /// # Panics
    /// If the expression throws, or the browser fails.
    pub async fn run(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut outcome = self.command("Runtime.evaluate", params).await;
        assert!(outcome["exceptionDetails"].is_null(), "{expression}: {outcome}");
        outcome["result"]["value"].take()
    }

    /// Waits until an expression is true in the page.
    ///
    /// # Panics
    /// If the browser fails.
    pub async fn wait_for(&mut self, condition: &str) {
        let wait = format!(
            "new Promise((done) => {{ (function look() {{
                if ({condition}) done(); else setTimeout(look, 5);
            }})(); }})"
        );
        guarded(condition, self.run(&wait)).await;
    }

    /// Sends a command to the browser and returns its result. Records errors that arrive before it.
    ///
    /// # Panics
    /// If the browser fails.
    pub async fn command(&mut self, method: &str, params: Value) -> Value {
        self.commands += 1;
        let mut command = json!({ "id": self.commands, "method": method, "params": params });
        if !self.session.is_null() {
            command["sessionId"] = self.session.clone();
        }
        self.tools.send(command.to_string()).await.expect("the browser answers");
        loop {
            let message =
                self.tools.recv().await.expect("the browser answers").expect("the browser lives");
            let Message::Text(text) = message else { panic!("{message:?}") };
            let mut event: Value =
                serde_json::from_str(text.as_str()).expect("the browser answers");
            if event["id"] == self.commands {
                assert!(event["error"].is_null(), "{method}: {event}");
                return event["result"].take();
            }
            let method = event["method"].as_str().unwrap_or_default();
            if COMPLAINTS.contains(&method) {
                self.complaints.push(event);
            }
        }
    }
}

/// The console events; our page must not cause any.
const COMPLAINTS: [&str; 3] =
    ["Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"];

impl Drop for Page {
    fn drop(&mut self) {
        self.browser.kill().ok();
        self.browser.wait().ok();
    }
}
