//! The example `rooms`, in Chromium.

use std::process::Command;

use fullduplex_lab::broker::{Broker, BrokerKind};
use fullduplex_lab::page::Page;
use fullduplex_lab::process::Program;

/// Starts a node. `cargo test` builds the example.
fn node(broker: &Broker) -> Program {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().parent().unwrap().join("examples");
    let arguments = ["127.0.0.1:0".to_owned(), broker.url()];
    Program::start(Command::new(folder.join("rooms")).args(arguments)).unwrap()
}

/// Returns a condition: the column shows these lines, without the notes.
fn shows(column: usize, lines: &[&str]) -> String {
    format!(
        "[...document.querySelectorAll('section')[{column}].querySelectorAll('li.message')]
            .map((line) => line.textContent).join() === {:?}",
        lines.join(",")
    )
}

fn say(column: usize, text: &str) -> String {
    format!(
        "(() => {{
            const column = document.querySelectorAll('section')[{column}];
            column.querySelector('input').value = {text:?};
            column.querySelector('button').click();
        }})()"
    )
}

/// HUB-1, HUB-3: a page with a column for each of two nodes. One column is cut off, and comes back by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and nats-server"]
async fn two_nodes_are_one_room_and_a_column_recovers() {
    let broker = Broker::start(BrokerKind::Nats);
    let nodes = [node(&broker), node(&broker)];
    let [one, other] = [0, 1].map(|at| nodes[at].address);
    let mut page = Page::open(&format!("http://{one}/lobby#{other}")).await;
    for column in 0..2 {
        page.wait_for(&format!(
            "document.querySelectorAll('section')[{column}].querySelector('li')"
        ))
        .await;
    }
    page.run(&say(0, "hello")).await;
    page.wait_for(&shows(1, &["hello"])).await;
    page.run(&say(1, "hello back")).await;
    for column in 0..2 {
        page.wait_for(&shows(column, &["hello", "hello back"])).await;
    }
    page.run("document.querySelectorAll('section')[1].socket.close()").await;
    page.run(&say(0, "while away")).await;
    page.run(&say(0, "again")).await;
    for column in 0..2 {
        page.wait_for(&shows(column, &["hello", "hello back", "while away", "again"])).await;
    }
    assert_eq!(page.complaints, Vec::<serde_json::Value>::new());
}
